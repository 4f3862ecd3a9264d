/**
 * Outbox: what has been given to one connection and has not left this process yet, with a bound on it.
 *
 * Guarantees: order of calls; at most `bytesMax` and `framesMax` of events wait (one frame larger than the bound passes when
 * nothing waits); answers are counted too, and past `cutBytesMax` the connection is cut. Whoever stays over the bound
 * for `slowConsumerMs` is closed with SLOW_CONSUMER. Before a drain closes the connection, commands that were taken are answered.
 * Does not: keep what it refused (the session has a cursor), or retry: what was taken is lost with the connection.
 */
import type { ClientSink, Frame } from '../actors/client-sink.ts';
import type { Clock } from '../system/clock.ts';
import { type CloseCode, closeTable } from '../system/errors.ts';
import type { Logger } from '../system/logger.ts';
import type { Supervision } from '../system/supervision.ts';
import type { ClientSocket, ClientSocketListener } from './client-socket.ts';
import type { OutboxTally } from './edge-metrics.ts';
import { EncodedFrame } from './frame-encoder.ts';
import { socketPacket } from './socket-packet.ts';

/** One for all outboxes of a server. */
export interface OutboxDeps {
  readonly limits: {
    /** Of events. */
    readonly bytesMax: number;
    readonly framesMax: number;
    /** Of everything. Answers cannot be refused once a command was executed; a client that asks and does not read is cut here. */
    readonly cutBytesMax: number;
    readonly slowConsumerMs: number;
  };
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Pick<Logger, 'error'>;
  readonly supervision: Pick<Supervision, 'emit'>;
  /** Counts of all of them together. */
  readonly tally: OutboxTally;
}

/** Longest wait for a `closing` to leave. After it the transport is cut: a client that does not read would hold it for ever. */
const closeFlushMaxMs = 1_000;
/** Of the bound. Above it volatile frames are dropped and minor ones refused. */
const volatileShare = 1 / 4;
/** Of the bound. `onRoom` fires below it: not at the bound, lest a slow reader be woken for each frame. */
const roomShare = 1 / 2;
/** Of the bound of frames: cut, as above `cutBytesMax`. */
const cutShare = 4;

export class Outbox implements ClientSink, ClientSocketListener {
  readonly #socket: ClientSocket;
  readonly #deps: OutboxDeps;
  /** For log lines. */
  readonly #user: string;
  /** Answers of this turn: they leave with its frame, as the first bytes of the same write, or at its end. */
  #answers: string[] | undefined;
  #answerBytes = 0;
  #phase: 'starting' | 'open' | 'closing' | 'closed' = 'starting';
  #onRoom: (() => void) | undefined;
  #owesRoom = false;
  #closeAs: { readonly code: CloseCode; readonly reconnectInMs?: number } | undefined;
  #cancelCut: (() => void) | undefined;
  /** Commands taken and not answered yet. */
  #unanswered = 0;
  /** Set while an event was refused and there is no room again. */
  #cancelSlow: (() => void) | undefined;

  constructor(socket: ClientSocket, deps: OutboxDeps, user = '') {
    this.#socket = socket;
    this.#deps = deps;
    this.#user = user;
    socket.listen(this);
  }

  get bytes(): number {
    return this.#socket.unsentBytes + this.#answerBytes;
  }

  get frames(): number {
    return this.#socket.unsentFrames;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Whether so much waits that no further command should be taken: its answer would have to be kept. */
  get isFull(): boolean {
    return this.bytes >= this.#deps.limits.bytesMax || this.frames >= this.#deps.limits.framesMax;
  }

  /** Of its bound; 1 and more: nothing but answers is taken. */
  get fillRatio(): number {
    return Math.max(this.bytes / this.#deps.limits.bytesMax, this.frames / this.#deps.limits.framesMax);
  }

  /** The client was told that it is connected: frames may go. Before, they would overtake that. */
  start(): void {
    if (this.#phase !== 'starting') return;
    this.#phase = 'open';
    if (this.#closeAs) this.close(this.#closeAs.code, this.#closeAs.reconnectInMs);
    else this.#offerRoom();
  }

  /** A command was taken; `commandAnswered` will follow, behind the answer itself. */
  commandTaken(): void {
    this.#unanswered += 1;
  }

  commandAnswered(): void {
    this.#unanswered -= 1;
    if (this.#phase === 'closing') this.#disconnectIfDone();
  }

  /** No more answers will come: whoever could give them has stopped. */
  answersEnd(): void {
    this.#unanswered = 0;
    if (this.#phase !== 'closing') return;
    this.#cutLater();
    this.#disconnectIfDone();
  }

  /** Takes the packet that answers a command. Never refused, since the command was carried out; past `cutBytesMax` the connection is cut. */
  answer(packet: string): void {
    if (this.#phase === 'closed') return;
    if (this.#answers === undefined) {
      this.#answers = [];
      queueMicrotask(this.#flushAnswers);
    }
    this.#answers.push(packet);
    this.#answerBytes += packet.length;
  }

  send(frame: Frame): boolean {
    if (this.isOpen && this.#fits(frame.bytes, 1)) {
      this.#write(frame);
      return true;
    }
    if (this.isOpen) this.#cancelSlow ??= this.#deps.clock.after(this.#deps.limits.slowConsumerMs, () => this.#tooSlow());
    return this.#refused();
  }

  sendVolatile(frame: Frame): void {
    if (this.isOpen && this.#fits(frame.bytes, volatileShare)) this.#write(frame);
    else this.#deps.tally.shed += 1;
  }

  sendMinor(frame: Frame): boolean {
    if (!this.isOpen || !this.#fits(frame.bytes, volatileShare)) return this.#refused();
    this.#write(frame);
    return true;
  }

  #refused(): false {
    this.#owesRoom = true;
    this.#deps.tally.refused += 1;
    return false;
  }

  onRoom(callback: () => void): void {
    this.#onRoom = callback;
  }

  close(code: CloseCode, reconnectInMs?: number): void {
    const body = reconnectInMs === undefined ? { code } : { code, reconnectInMs };
    if (this.#phase === 'starting') this.#closeAs ??= body;
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    this.#closeAs = body;
    this.#give([`${socketPacket.event}["closing",${JSON.stringify(body)}]`]);
    if (this.#phase !== 'closing') return;
    this.#cutLater();
    this.#disconnectIfDone();
  }

  /** While a drain waits for answers, the node's own deadline ends the wait (`answersEnd`). */
  #cutLater(): void {
    this.#cancelCut?.();
    this.#cancelCut = this.#deps.clock.after(closeFlushMaxMs, () => (this.#isAwaited ? this.#cutLater() : this.#cut()));
  }

  get #isAwaited(): boolean {
    return this.#closeAs?.code === 'SERVER_DRAINING' && this.#unanswered > 0;
  }

  #disconnectIfDone(): void {
    if (this.frames === 0 && this.#answers === undefined && !this.#isAwaited) this.#disconnect();
  }

  #tooSlow(): void {
    this.#cancelSlow = undefined;
    this.#tellSlow('close');
    this.close('SLOW_CONSUMER');
  }

  #tellSlow(decision: 'close' | 'cut' | 'lost'): void {
    const about = { user: this.#user, bytes: this.bytes, frames: this.frames };
    this.#deps.supervision.emit({ ev: 'slow.consumer', path: '/gateway/outbox', kind: 'outbox', decision, about });
  }

  #fits(bytes: number, share: number): boolean {
    if (this.frames === 0) return true;
    const { bytesMax, framesMax } = this.#deps.limits;
    return this.bytes + bytes <= bytesMax * share && this.frames + 1 <= framesMax * share;
  }

  #write(frame: Frame): void {
    if (!(frame instanceof EncodedFrame)) throw new TypeError('a frame of another encoder');
    if (frame.entries > 0) {
      this.#deps.tally.frames += 1;
      this.#deps.tally.deliveries += frame.entries;
    }
    this.#give([], frame);
  }

  /** Answers of this turn go first, as one write with what follows: copying a frame behind them costs less than a second one. */
  #give(packets: readonly string[], frame?: EncodedFrame): void {
    const answers = this.#takeAnswers();
    if (answers) for (const packet of packets) answers.push(packet);
    this.#socket.write(answers ?? packets, frame);
    this.#cutIfHopeless();
  }

  readonly #flushAnswers = (): void => {
    if (this.#answers) this.#give([]);
  };

  /** No empty list stands by: it would be old when it is used, and V8 then makes such lists old from the beginning. */
  #takeAnswers(): string[] | undefined {
    const answers = this.#answers;
    this.#answers = undefined;
    this.#answerBytes = 0;
    return answers;
  }

  #cutIfHopeless(): void {
    const { cutBytesMax, framesMax } = this.#deps.limits;
    if (this.bytes <= cutBytesMax && this.frames <= framesMax * cutShare) return;
    if (this.#phase === 'closed') return;
    this.#endSlow();
    this.#tellSlow('cut'); // It asks without reading.
    this.#deps.tally.cut += 1;
    this.#cut();
  }

  grown(): void {
    this.#cutIfHopeless();
  }

  sent(): void {
    if (this.#phase === 'closing') this.#disconnectIfDone();
    else this.#offerRoom();
  }

  #offerRoom(): void {
    if (!this.#owesRoom || !this.isOpen || this.#onRoom === undefined) return;
    const { bytesMax, framesMax } = this.#deps.limits;
    if (this.bytes > bytesMax * roomShare || this.frames > framesMax * roomShare) return;
    this.#owesRoom = false;
    this.#endSlow();
    try {
      this.#onRoom();
    } catch (error) {
      // A bug of the session; it must not surface inside the transport, where it would end the process.
      this.#deps.log.error({ ev: 'gateway.bug', user: this.#user, err: error }, 'onRoom threw');
      this.close('INTERNAL');
    }
  }

  /** In order: whatever was buffered, `closing`, then the end. */
  #disconnect(): void {
    this.#cancelCut?.();
    const code = this.#closeAs?.code ?? 'INTERNAL';
    // An unmodified client comes back after a lost transport, and does not after a socket.io disconnect.
    this.#socket.end(closeTable[code].reconnect);
  }

  #cut(): void {
    this.#socket.cut();
    this.closed();
  }

  #endSlow(): void {
    this.#cancelSlow?.();
    this.#cancelSlow = undefined;
  }

  closed(): void {
    if (this.#phase === 'closed') return;
    if (this.#cancelSlow && this.#phase === 'open') this.#tellSlow('lost'); // The heart-beat was faster, or the client gave up.
    this.#endSlow();
    this.#phase = 'closed';
    this.#takeAnswers();
    this.#onRoom = undefined;
    this.#cancelCut?.();
    this.#cancelCut = undefined;
  }
}
