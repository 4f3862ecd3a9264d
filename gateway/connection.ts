/**
 * Connection: the one wrapper through which every event of every client passes.
 *
 * Guarantees: whatever arrives, nothing is thrown into socket.io (where it would end the process); an acknowledgement is
 * answered exactly once; the session sees only decoded commands.
 * Does not execute a command that came without an acknowledgement: there would be nobody to tell that it failed.
 */
import type { Answer, ClientCommand } from '../actors/client-command.ts';
import type { Clock } from '../system/clock.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { Logger } from '../system/logger.ts';
import type { Seat } from './admission.ts';
import { encodeAnswer, type LimitedRefusal, type WireAnswer } from './client-protocol.ts';
import { type Decoded, decodeCommand, isCommand, isKnown, type RefreshRequest, unknownEvent } from './command-decoder.ts';
import type { CommandMetrics } from './edge-metrics.ts';
import type { Outbox } from './outbox.ts';
import { guardPayload } from './payload-guard.ts';
import { RateLimit } from './rate-limit.ts';
import { isRefusal, type SessionHandle, type TokenVerifier } from './session-port.ts';

export interface ConnectionLimits {
  readonly textBytesMax: number;
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
}
export interface ConnectionDeps {
  readonly session: SessionHandle;
  readonly verifier: TokenVerifier;
  readonly outbox: Pick<Outbox, 'close' | 'isFull' | 'isOpen' | 'commandTaken' | 'commandAnswered'>;
  readonly seat: Seat;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CommandMetrics;
  /** For log lines. */
  readonly user: string;
}

/** What a client is told to wait when a queue behind the edge is full. */
const busyRetryAfterMs = 500;

type Ack = (answer: WireAnswer) => void;

/** Handles one packet: the event's name and whatever came after it. Never throws. */
export function createEventHandler(deps: ConnectionDeps): (packet: readonly unknown[]) => void {
  const { limits, log, user } = deps;
  const rate = new RateLimit(limits.commandsPerSecondMax, limits.commandsBurstMax, deps.clock);
  return (packet) => {
    let reply: ((answer: Answer) => void) | undefined;
    let isTaken = false;
    try {
      if (!deps.outbox.isOpen) return;
      const verdict = rate.take();
      if (verdict.type === 'flood') {
        log.warn({ ev: 'client.flood', user, decision: 'close' }, 'a client is far over its rate');
        deps.outbox.close('FLOOD');
        return;
      }
      // socket.io appends the function when the packet asks for an acknowledgement; JSON cannot carry one.
      const last = packet.at(-1);
      if (packet.length < 2 || typeof last !== 'function') return;
      const [event] = packet;
      const startMs = deps.clock.nowMs();
      reply = answerOnce(last as Ack, log, (answer) => {
        deps.metrics.answered(event, answer.ok ? 'OK' : answer.refusal.code, deps.clock.nowMs() - startMs);
        if (isTaken) deps.outbox.commandAnswered();
      });
      const refused = (refusal: Refusal) => reply?.({ ok: false, refusal });
      if (verdict.type === 'refused') return refused(refuse('RATE_LIMITED', 'too many commands', verdict.retryAfterMs));
      const notNow = deps.seat.refusalOfCommand();
      if (notNow) return refused(notNow);
      const decoded = read(event, packet.slice(1, -1), limits.textBytesMax);
      if (!isCommand(decoded)) return refused(decoded);
      const command = decoded.type === 'auth.refresh' ? withIdentity(decoded, deps) : decoded;
      if (isRefusal(command)) return refused(command);
      if (deps.outbox.isFull) return refused(refuse('BUSY', 'read what was sent before you ask for more', busyRetryAfterMs));
      isTaken = true;
      deps.outbox.commandTaken();
      if (deps.session.command(command, reply) === 'refused')
        refused(refuse('BUSY', 'too many commands wait for an answer', busyRetryAfterMs));
    } catch (error) {
      log.error({ ev: 'gateway.bug', user, err: error }, 'a command crashed at the edge');
      reply?.({ ok: false, refusal: refuse('INTERNAL', 'the server failed; send again with the same cid') });
    }
  };
}

/** From the outside in: the name, how many arguments, what they are made of, and only then what they say. */
function read(event: unknown, args: readonly unknown[], textBytesMax: number): Decoded | LimitedRefusal {
  if (!isKnown(event)) return unknownEvent(event);
  if (args.length > 1) return refuse('INVALID', `payload must be the only argument beside the acknowledgement, not one of ${args.length}`);
  return guardPayload(args[0]) ?? decodeCommand(event, args[0], textBytesMax);
}

/** The session knows no tokens: what it gets is who the token says the client is. */
function withIdentity({ token }: RefreshRequest, { verifier, seat }: ConnectionDeps): ClientCommand | Refusal {
  const waitMs = seat.badTokenWaitMs();
  if (waitMs !== undefined) return refuse('RATE_LIMITED', 'too many bad tokens from your address', waitMs);
  const identity = verifier.verify(token);
  if (!isRefusal(identity)) return { type: 'auth.refresh', identity };
  if (identity.code === 'UNAUTHENTICATED') seat.badToken();
  return identity;
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
