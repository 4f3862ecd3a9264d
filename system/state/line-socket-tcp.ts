/**
 * LineSocket: one outgoing TCP connection that carries lines.
 *
 * Guarantees: after `cut` nothing is heard of it any more, and `closed` comes once at most; what is read is bounded by one line and
 * one chunk. Frames of one chunk arrive one after the other, then `paused`: a whole turn's worth has been heard.
 * Does not: bound what is written. `send` says whether the connection takes more; whoever goes on after false fills memory.
 */
import { connect, type Socket } from 'node:net';
import { type Frame, FrameDecoder } from './frame-codec.ts';

export interface LineSocketEvents {
  connected(): void;
  heard(frame: Frame): void;
  /** No more frames for now. */
  paused(): void;
  /** The connection takes more again. */
  drained(): void;
  closed(why: string): void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Long before the idle time-outs of routers; the link itself pings far more often, an older server is never pinged. */
const keepAliveMs = 10_000;

export class LineSocket {
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #events: LineSocketEvents;
  #isCut = false;
  #why: string;

  /** `peer`: who is at the other end, in words for logs. */
  constructor({ host, port }: Address, lineBytesMax: number, events: LineSocketEvents, peer = 'the state server') {
    this.#why = `closed by ${peer}`;
    this.#decoder = new FrameDecoder(lineBytesMax);
    this.#events = events;
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
    this.#socket.on('connect', () => this.#unlessCut(() => events.connected()));
    this.#socket.on('data', (chunk) => this.#heard(chunk));
    this.#socket.on('drain', () => this.#unlessCut(() => events.drained()));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#why = error.code ?? error.name;
    });
    this.#socket.on('close', () => this.#unlessCut(() => events.closed(this.#why)));
  }

  /** false: taken, but the connection is full; wait for `drained`. */
  send(bytes: Buffer): boolean {
    return this.#isCut || this.#socket.write(bytes);
  }

  cut(): void {
    this.#isCut = true;
    this.#socket.destroy();
  }

  #heard(chunk: Buffer): void {
    for (const frame of this.#decoder.push(chunk)) this.#unlessCut(() => this.#events.heard(frame));
    this.#unlessCut(() => this.#events.paused());
  }

  #unlessCut(tell: () => void): void {
    if (!this.#isCut) tell();
  }
}
