/**
 * LineClient: a TCP client of the state server that says exactly the bytes it is given and waits for lines.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameDecoder } from '../../system/state/frame-codec.ts';
import type { NodeLine, ServerLine } from '../../system/state/state-lines.ts';

const waitMs = 5_000;

export class LineClient {
  readonly socket: Socket;
  /** Lines that came and were not asked for yet. */
  readonly lines: string[] = [];
  #isClosed = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    const decoder = new FrameDecoder(16 * 1024 * 1024);
    socket.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) this.lines.push(frame.type === 'line' ? frame.text : `(${frame.type})`);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  static async open(port: number): Promise<LineClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new LineClient(socket);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  say(...lines: readonly (string | NodeLine)[]): void {
    this.raw(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\r\n`).join(''));
  }

  raw(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next line. Rejects when none comes, or the connection ends first. */
  async line(): Promise<string> {
    await this.#until('a line', () => this.lines.length > 0 || this.#isClosed);
    const line = this.lines.shift();
    if (line === undefined) throw new Error('the connection ended instead of a line');
    return line;
  }

  /** Asks and waits for one line. */
  async ask(line: string | NodeLine): Promise<string> {
    this.say(line);
    return this.line();
  }

  async heard(): Promise<ServerLine> {
    return JSON.parse(await this.line()) as ServerLine;
  }

  async request(line: NodeLine): Promise<ServerLine> {
    this.say(line);
    return this.heard();
  }

  /** Waits for the end; gives the lines that came before it. */
  async end(): Promise<string[]> {
    await this.#until('the end of the connection', () => this.#isClosed);
    return this.lines.splice(0);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.#until('closing', () => this.#isClosed);
  }

  #until(what: string, condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited ${waitMs} ms in vain for ${what}; lines: ${JSON.stringify(this.lines.slice(0, 5))}`)),
        waitMs,
      );
      this.#wake = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      this.#wake();
    });
  }
}
