/**
 * Connection: the one wrapper through which every event of every client passes.
 *
 * Guarantees: whatever arrives, nothing is thrown into the transport (where it would end the process); an acknowledgement is
 * answered exactly once; the session sees only decoded commands.
 * Does not execute a command that came without an acknowledgement: there would be nobody to tell that it failed.
 */
import type { Answer, ClientCommand } from '../actors/client-command.ts';
import type { Clock } from '../system/clock.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { Logger } from '../system/logger.ts';
import type { Seat } from './admission.ts';
import { encodeAnswer, type LimitedRefusal } from './client-encoding.ts';
import type { WireAnswer } from './client-protocol.ts';
import { type Decoded, decodeCommand, isCommand, isKnown, type RefreshRequest, unknownEvent } from './command-decoder.ts';
import { type CommandLoad, charsOf } from './command-load.ts';
import type { CommandMetrics } from './edge-metrics.ts';
import type { Outbox } from './outbox.ts';
import { guardPayload } from './payload-guard.ts';
import { RateLimit } from './rate-limit.ts';
import { type Departure, isRefusal, type SessionHandle, type TokenVerifier } from './session-port.ts';
import type { Guest } from './websocket-connection.ts';

export interface ConnectionLimits {
  readonly textBytesMax: number;
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
}
/** One for all connections of a server. */
export interface ConnectionDeps {
  readonly verifier: TokenVerifier;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CommandMetrics;
  /** Of all clients. */
  readonly load: CommandLoad;
  /** Told last, once, when a connection is gone. */
  readonly left: (outbox: ConnectionParts['outbox']) => void;
}
/** What one connection has of its own. */
export interface ConnectionParts {
  readonly session: SessionHandle;
  readonly seat: Seat;
  readonly outbox: Pick<Outbox, 'close' | 'isFull' | 'isOpen' | 'commandTaken' | 'commandAnswered' | 'start' | 'answer'>;
  /** For log lines. */
  readonly user: string;
}

/** What a client is told to wait when a queue behind the edge is full. */
const busyRetryAfterMs = 500;
/** What was taken for a client that is gone counts until it is answered, and no longer than this. */
const goneCountsMaxMs = 10_000;

type Ack = (answer: WireAnswer) => void;

export class Connection implements Guest {
  readonly #deps: ConnectionDeps;
  readonly #session: SessionHandle;
  readonly #seat: Seat;
  readonly #outbox: ConnectionParts['outbox'];
  readonly #user: string;
  readonly #rate: RateLimit;
  #isGone = false;
  /** Taken and not answered. */
  #held = { commands: 0, chars: 0 };

  constructor(deps: ConnectionDeps, { session, seat, outbox, user }: ConnectionParts) {
    this.#deps = deps;
    this.#session = session;
    this.#seat = seat;
    this.#outbox = outbox;
    this.#user = user;
    this.#rate = new RateLimit(deps.limits.commandsPerSecondMax, deps.limits.commandsBurstMax, deps.clock);
  }

  start(): void {
    this.#outbox.start();
  }

  answer(packet: string): void {
    this.#outbox.answer(packet);
  }

  /** Tells the session, once. */
  gone(departure: Departure): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#seat.leave();
    try {
      this.#session.disconnected(departure);
    } catch (error) {
      this.#deps.log.error({ ev: 'gateway.bug', err: error }, 'disconnected threw');
    }
    this.#deps.left(this.#outbox);
    if (this.#held.commands > 0) this.#deps.clock.after(goneCountsMaxMs, () => this.#giveAll());
  }

  /** Handles one packet: the event's name and whatever came after it. Never throws. */
  handle(packet: readonly unknown[]): void {
    const { limits, log, metrics, clock, load } = this.#deps;
    const outbox = this.#outbox;
    const user = this.#user;
    let reply: ((answer: Answer) => void) | undefined;
    let isTaken = false;
    let chars = 0;
    try {
      if (!outbox.isOpen) return;
      const verdict = this.#rate.take();
      if (verdict.type === 'flood') return this.#closeForFlood('a client is far over its rate');
      // The function that answers stands last where an answer is asked for; JSON cannot carry one.
      const last = packet.at(-1);
      if (packet.length < 2 || typeof last !== 'function') return;
      const [event] = packet;
      const startMs = clock.nowMs();
      reply = answerOnce(last as Ack, log, (answer) => {
        metrics.answered(event, answer.ok ? 'OK' : answer.refusal.code, clock.nowMs() - startMs);
        if (!isTaken) return;
        outbox.commandAnswered();
        this.#give(chars);
      });
      const refused = (refusal: Refusal) => reply?.({ ok: false, refusal });
      if (verdict.type === 'refused') return refused(refuse('RATE_LIMITED', 'too many commands', verdict.retryAfterMs));
      const notNow = this.#seat.refusalOfCommand();
      if (notNow) {
        // Neighbours at one address share a rate: whoever waits when told to is not closed for those who do not.
        if (this.#rate.refusedElsewhere() && this.#seat.isFlooded()) return this.#closeForFlood('its user or address is far over its rate');
        return refused(notNow);
      }
      const decoded = read(event, packet.slice(1, -1), limits.textBytesMax);
      if (!isCommand(decoded)) return refused(decoded);
      const command = decoded.type === 'auth.refresh' ? this.#withIdentity(decoded) : decoded;
      if (isRefusal(command)) return refused(command);
      if (outbox.isFull) return refused(refuse('BUSY', 'read what was sent before you ask for more', busyRetryAfterMs));
      chars = charsOf(command);
      if (!load.take(chars, this.#held)) return refused(refuse('BUSY', 'the node has too many commands to answer', busyRetryAfterMs));
      this.#held.commands += 1;
      this.#held.chars += chars;
      isTaken = true;
      outbox.commandTaken();
      if (this.#session.command(command, reply) === 'refused')
        refused(refuse('BUSY', 'too many commands wait for an answer', busyRetryAfterMs));
    } catch (error) {
      log.error({ ev: 'gateway.bug', user, err: error }, 'a command crashed at the edge');
      reply?.({ ok: false, refusal: refuse('INTERNAL', 'the server failed; send again with the same cid') });
    }
  }

  #give(chars: number): void {
    if (this.#held.commands === 0) return; // Given back already: it is long gone.
    this.#held.commands -= 1;
    this.#held.chars -= chars;
    this.#deps.load.give({ commands: 1, chars });
  }

  #giveAll(): void {
    this.#deps.load.give(this.#held);
    this.#held = { commands: 0, chars: 0 };
  }

  #closeForFlood(words: string): void {
    this.#deps.log.warn({ ev: 'client.flood', user: this.#user, decision: 'close' }, words);
    this.#outbox.close('FLOOD');
  }

  /** The session knows no tokens: what it gets is who the token says the client is. */
  #withIdentity({ token }: RefreshRequest): ClientCommand | Refusal {
    const waitMs = this.#seat.badTokenWaitMs();
    if (waitMs !== undefined) return refuse('RATE_LIMITED', 'too many bad tokens from your address', waitMs);
    const identity = this.#deps.verifier.verify(token);
    if (!isRefusal(identity)) return { type: 'auth.refresh', identity };
    if (identity.code === 'UNAUTHENTICATED') this.#seat.badToken();
    return identity;
  }
}

/** From the outside in: the name, how many arguments, what they are made of, and only then what they say. */
function read(event: unknown, args: readonly unknown[], textBytesMax: number): Decoded | LimitedRefusal {
  if (!isKnown(event)) return unknownEvent(event);
  if (args.length > 1) return refuse('INVALID', `payload must be the only argument beside the acknowledgement, not one of ${args.length}`);
  return guardPayload(args[0]) ?? decodeCommand(event, args[0], textBytesMax);
}

function answerOnce(ack: Ack, log: Logger, onAnswered: (answer: Answer) => void): (answer: Answer) => void {
  let isAnswered = false;
  return (answer) => {
    if (isAnswered) return;
    isAnswered = true;
    try {
      ack(encodeAnswer(answer));
    } catch (error) {
      // It would surface in the session, which did nothing wrong.
      log.error({ ev: 'gateway.bug', err: error }, 'an answer could not be encoded');
      ack(encodeAnswer({ ok: false, refusal: refuse('INTERNAL', 'the server failed; send again with the same cid') }));
    } finally {
      onAnswered(answer);
    }
  };
}
