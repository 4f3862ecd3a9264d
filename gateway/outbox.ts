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
import type { OutboxTally } from './edge-metrics.ts';
import type { EnginePacket, EngineTransport, OutboxSocket, Websocket } from './engine-connection.ts';
import { EncodedFrame, websocketFrames } from './frame-encoder.ts';

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

export class Outbox implements ClientSink {
  readonly #socket: OutboxSocket;
  readonly #deps: OutboxDeps;
  /** For log lines. */
  readonly #user: string;
  /** In engine.io's buffer, and handed to the transport but not yet to the kernel. */
  #waiting = { bytes: 0, frames: 0 };
  #inTransport = { bytes: 0, frames: 0 };
  /** Given straight to the websocket, not yet taken by the kernel. */
  #straightFrames = 0;
  /** Answers of this turn: they leave with its frame, as the first bytes of the same write, or at its end. */
  #answers: string[] = [];
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

  constructor(socket: OutboxSocket, deps: OutboxDeps, user = '') {
    this.#socket = socket;
    this.#deps = deps;
    this.#user = user;
    const { conn } = socket;
    conn.on('close', () => this.#gone());
    // A websocket tells by itself what it holds, and stays one. What engine.io sends on it are pings and the last words.
    if (conn.transport.name === 'websocket') return;
    conn.on('packetCreate', (packet) => this.#created(packet));
    conn.on('flush', () => this.#flushed());
    const watch = (transport: EngineTransport) => transport.on('drain', () => this.#drained());
    watch(conn.transport);
    conn.on('upgrade', (transport) => {
      watch(transport);
      // What the old transport held has left with its last poll, or will never be reported.
      this.#drained();
    });
  }

  get bytes(): number {
    const { transport } = this.#socket.conn;
    const unsent = transport.name === 'websocket' ? (transport.socket?.bufferedAmount ?? 0) : this.#inTransport.bytes;
    return this.#waiting.bytes + unsent + this.#answerBytes;
  }

  get frames(): number {
    return this.#waiting.frames + this.#inTransport.frames + this.#straightFrames;
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
    if (this.#answers.length === 0) queueMicrotask(this.#flushAnswers);
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
    this.#socket.emit('closing', body);
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
    if (this.frames === 0 && this.#answers.length === 0 && !this.#isAwaited) this.#disconnect();
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
    const websocket = this.#websocket();
    if (websocket) return this.#writeStraight(websocket, frame.buffer);
    this.#flushAnswers();
    this.#socket.conn.write(frame.packet, frame.options);
  }

  /**
   * The websocket, if nothing waits before it: no earlier packet in engine.io's buffer, no change of the transport under way.
   * engine.io spends more on a packet than the kernel does, and sends the next one only when the last has left.
   */
  #websocket(): Websocket | undefined {
    const { transport, writeBuffer, readyState } = this.#socket.conn;
    return transport.name === 'websocket' && writeBuffer.length === 0 && readyState === 'open' ? transport.socket : undefined;
  }

  /** One write: copying a frame behind the answers costs less than a second one. */
  #writeStraight(websocket: Websocket, frame?: Buffer): void {
    const buffer = this.#answers.length === 0 ? frame : websocketFrames(this.#takeAnswers(), frame);
    if (!buffer) return;
    this.#straightFrames += 1;
    websocket._sender.sendFrame([buffer], this.#sentStraight);
    this.#cutIfHopeless();
  }

  readonly #sentStraight = (): void => {
    this.#straightFrames -= 1;
    this.#left();
  };

  readonly #flushAnswers = (): void => {
    const websocket = this.#websocket();
    if (websocket) return this.#writeStraight(websocket);
    for (const packet of this.#takeAnswers()) this.#socket.conn.write(packet);
  };

  #takeAnswers(): readonly string[] {
    const answers = this.#answers;
    this.#answers = [];
    this.#answerBytes = 0;
    return answers;
  }

  /** Every packet of engine.io passes here: pings, and all that does not go straight. */
  #created(packet: EnginePacket): void {
    this.#waiting.frames += 1;
    this.#waiting.bytes += packet.options?.bytes ?? sizeOf(packet.data);
    this.#cutIfHopeless();
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

  /** engine.io hands all it has to the transport at once. */
  #flushed(): void {
    this.#inTransport.bytes += this.#waiting.bytes;
    this.#inTransport.frames += this.#waiting.frames;
    this.#waiting = { bytes: 0, frames: 0 };
  }

  /** The transport takes one lot at a time, so all of it has left. What waits follows by itself. */
  #drained(): void {
    this.#inTransport = { bytes: 0, frames: 0 };
    this.#left();
  }

  #left(): void {
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
    if (closeTable[code].reconnect) this.#socket.conn.close();
    else this.#socket.disconnect(true);
  }

  #cut(): void {
    const { transport } = this.#socket.conn;
    this.#socket.conn.close(true);
    transport.socket?.terminate();
    this.#gone();
  }

  #endSlow(): void {
    this.#cancelSlow?.();
    this.#cancelSlow = undefined;
  }

  #gone(): void {
    if (this.#cancelSlow && this.#phase === 'open') this.#tellSlow('lost'); // The heart-beat was faster, or the client gave up.
    this.#endSlow();
    this.#phase = 'closed';
    this.#takeAnswers();
    this.#onRoom = undefined;
    this.#cancelCut?.();
    this.#cancelCut = undefined;
  }
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}
