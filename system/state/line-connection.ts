/**
 * LineConnection: one accepted TCP connection, as lines in and lines out.
 *
 * Guarantees: one line is handled at a time, in order, and none while what was written before has not left: a peer that asks
 * without reading is not read from either. So at most what one chunk and one answer hold is kept for a peer, whatever it sends.
 * Does not: know what lines mean, or how long a peer may be silent or stand still (`blockedSinceMs`).
 */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { type Frame, FrameDecoder } from './frame-codec.ts';

export interface LineConnectionDeps {
  readonly socket: Socket;
  readonly lineBytesMax: number;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly onFrame: (frame: Frame) => void;
  /** So many bytes more (or fewer) are held of lines whose end has not come. */
  readonly onHeld: (deltaBytes: number) => void;
  /** What was written has left. */
  readonly onRoom: () => void;
  /** Called once, whoever ended it. */
  readonly onClose: () => void;
}

/** From the last line to a peer until it is cut, so that the line arrives before the end does. */
const lingerMs = 1_000;
const keepAliveMs = 60_000;

export class LineConnection {
  readonly #deps: LineConnectionDeps;
  readonly #decoder: FrameDecoder;
  /** Of the last chunk, not yet handled. */
  #frames: Frame[] = [];
  #heldBytes = 0;
  #isHandling = false;
  #hasEnded = false;
  #phase: 'open' | 'finishing' | 'closed' = 'open';
  #blockedSinceMs: number | undefined;
  #cancelCut: (() => void) | undefined;

  constructor(deps: LineConnectionDeps) {
    this.#deps = deps;
    this.#decoder = new FrameDecoder(deps.lineBytesMax);
    const { socket } = deps;
    socket.setNoDelay(true);
    // For half-open connections of older clients, which may be silent for as long as they like.
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    // A reset is an end like others; `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClosed());
  }

  /** Longest line from now on. */
  set lineBytesMax(bytes: number) {
    this.#decoder.lineBytesMax = bytes;
  }

  /** Since when the peer has not read what was written; undefined: it has. */
  get blockedSinceMs(): number | undefined {
    return this.#blockedSinceMs;
  }

  /** Of a line whose end has not come. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Nothing is thrown when it is no longer open. */
  send(bytes: Buffer): void {
    if (this.#phase !== 'open' || this.#deps.socket.write(bytes)) return;
    this.#blockedSinceMs ??= this.#deps.clock.nowMs();
    this.#deps.socket.pause();
  }

  /** Says a last line and ends; what the peer still says is thrown away. */
  finish(bytes?: Buffer): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'finishing';
    this.#frames = [];
    this.#hold(0);
    const { socket, clock } = this.#deps;
    if (bytes === undefined) socket.end();
    else socket.end(bytes);
    // Unread bytes would turn the end into a reset, and the last line would be lost.
    socket.resume();
    this.#cancelCut = clock.after(lingerMs, () => this.cut());
    if (this.#hasEnded) socket.destroySoon();
  }

  /** Ends at once. */
  cut(): void {
    if (this.#phase === 'open') this.#phase = 'finishing';
    this.#frames = [];
    this.#hold(0);
    this.#deps.socket.destroy();
  }

  /** This process stood still for so long: nobody could read meanwhile. */
  forgive(ms: number): void {
    if (this.#blockedSinceMs !== undefined) this.#blockedSinceMs += ms;
  }

  #onData(chunk: Buffer): void {
    if (this.#phase !== 'open') return;
    const frames = this.#decoder.push(chunk);
    this.#frames = this.#frames.length === 0 ? frames : [...this.#frames, ...frames];
    this.#hold(this.#decoder.waitingBytes);
    this.#handle();
  }

  #hold(bytes: number): void {
    const deltaBytes = bytes - this.#heldBytes;
    this.#heldBytes = bytes;
    if (deltaBytes !== 0) this.#deps.onHeld(deltaBytes);
  }

  #handle(): void {
    if (this.#isHandling) return;
    this.#isHandling = true;
    let handled = 0;
    for (; handled < this.#frames.length && this.#phase === 'open' && this.#blockedSinceMs === undefined; handled += 1) {
      this.#deps.onFrame(this.#frames[handled] as Frame);
    }
    this.#isHandling = false;
    this.#frames = this.#frames.slice(handled);
    if (this.#frames.length === 0 && this.#hasEnded) this.finish();
  }

  #onDrain(): void {
    this.#blockedSinceMs = undefined;
    if (this.#phase !== 'open') return;
    this.#handle();
    if (this.#blockedSinceMs === undefined) this.#deps.onRoom();
    if (this.#blockedSinceMs === undefined) this.#deps.socket.resume();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    // Both sides have said all they had; what is written still leaves.
    if (this.#phase === 'finishing') this.#deps.socket.destroySoon();
    else this.#handle();
  }

  #onClosed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#hold(0);
    this.#cancelCut?.();
    this.#deps.onClose();
  }
}
