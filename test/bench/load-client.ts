/**
 * LoadClient: one socket.io connection, spoken byte by byte over TCP, so that one core can read a million deliveries a second.
 *
 * Guarantees: websocket only, EIO 4 and socket.io 5; pings are answered; frames are handed over in place, without a copy.
 * Does not: reconnect, read fragmented or compressed frames (no server here sends any; one that does is an error).
 * Why not `ws`: its streams and its buffer per read cost more than the server's side of a delivery; then the load would be measured.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export interface LoadHandlers {
  /** `[event, body]` as JSON text in data[start..end). The buffer is re-used after the call. */
  onEvent(client: LoadClient, data: Buffer, start: number, end: number): void;
  /** Of `send`: the answer's JSON array in data[start..end). */
  onAck(client: LoadClient, id: number, data: Buffer, start: number, end: number): void;
  onClose(client: LoadClient, why: string): void;
}

/** One for all connections: libuv fills it and calls back before it reads the next socket (on Windows it would not). */
const readBuffer = Buffer.allocUnsafe(512 * 1024);
const mask = randomBytes(4);
const [char0, char2, char3, char4] = ['0', '2', '3', '4'].map((char) => char.charCodeAt(0)) as [number, number, number, number];
const openingHash = '[';
const upgradeEnd = '\r\n\r\n';

export class LoadClient {
  readonly #socket: Socket;
  readonly #handlers: LoadHandlers;
  readonly #hello: string;
  readonly #requests = new Map<number, (answer: unknown) => void>();
  /** Of a frame that has not come whole. */
  #rest: Buffer | undefined;
  #isUpgraded = false;
  #nextRequest = 1_000_000_000;
  #connected: { resolve(): void; reject(error: Error): void } | undefined;

  private constructor(port: number, token: string | undefined, handlers: LoadHandlers) {
    this.#handlers = handlers;
    this.#hello = `40${token === undefined ? '' : JSON.stringify({ token })}`;
    const callback = (bytes: number, buffer: Uint8Array): boolean => {
      this.#read(buffer as Buffer, bytes);
      return true;
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer: readBuffer, callback } });
    this.#socket.on('error', (error) => this.#end(String(error)));
    this.#socket.on('close', () => this.#end('the server closed the connection'));
    this.#socket.once('connect', () => this.#socket.write(upgradeRequest(port)));
  }

  static connect(port: number, token: string | undefined, handlers: LoadHandlers): Promise<LoadClient> {
    return new Promise((resolve, reject) => {
      const client = new LoadClient(port, token, handlers);
      client.#connected = { resolve: () => resolve(client), reject };
    });
  }

  /** Sends a command; the answer comes to `onAck` with this id (below 1,000,000,000). */
  send(id: number, eventAndBody: string): void {
    this.#write(`42${id}${eventAndBody}`);
  }

  /** One command, its answer parsed; called before any frame that came after the answer is read. */
  ask<Answer>(event: string, body: unknown, onAnswer: (answer: Answer) => void): void {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    this.#requests.set(id, onAnswer as (answer: unknown) => void);
    this.send(id, JSON.stringify([event, body]));
  }

  /** `ask` for setting up, where nothing else comes. */
  request<Answer>(event: string, body: unknown): Promise<Answer> {
    return new Promise((resolve) => this.ask<Answer>(event, body, resolve));
  }

  /** Stops to read: what comes fills the kernel's buffers, then the server's. */
  stall(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#connected = undefined;
    this.#socket.removeAllListeners('close').destroy();
  }

  #end(why: string): void {
    if (this.#connected) this.#connected.reject(new Error(`not connected: ${why}`));
    else this.#handlers.onClose(this, why);
    this.close();
  }

  #write(packet: string): void {
    const bytes = Buffer.byteLength(packet);
    const headerBytes = bytes < 126 ? 6 : 8;
    const frame = Buffer.allocUnsafe(headerBytes + bytes);
    frame[0] = 0x81;
    if (headerBytes === 6) frame[1] = 0x80 | bytes;
    else {
      frame[1] = 0x80 | 126;
      frame.writeUInt16BE(bytes, 2); // Throws above 64 kB: no command here is that long.
    }
    mask.copy(frame, headerBytes - 4);
    frame.write(packet, headerBytes, 'utf8');
    for (let at = headerBytes; at < frame.length; at += 1) frame[at] = (frame[at] as number) ^ (mask[(at - headerBytes) & 3] as number);
    this.#socket.write(frame);
  }

  #read(chunk: Buffer, bytes: number): void {
    let data = chunk;
    let end = bytes;
    if (this.#rest) {
      data = Buffer.concat([this.#rest, chunk.subarray(0, bytes)]);
      end = data.length;
      this.#rest = undefined;
    }
    let at = this.#isUpgraded ? 0 : this.#upgrade(data, end);
    while (this.#isUpgraded && end - at >= 2) {
      const length7 = (data[at + 1] as number) & 0x7f;
      const headerBytes = length7 < 126 ? 2 : length7 === 126 ? 4 : 10;
      if (end - at < headerBytes) break;
      const length = length7 < 126 ? length7 : length7 === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
      const start = at + headerBytes;
      if (end - start < length) break;
      at = start + length;
      this.#onFrame(data[start - headerBytes] as number, data, start, at);
    }
    if (at < end) this.#rest = Buffer.from(data.subarray(at, end));
  }

  /** Where the frames begin. */
  #upgrade(data: Buffer, end: number): number {
    const text = data.toString('latin1', 0, end);
    const headEnd = text.indexOf(upgradeEnd);
    if (headEnd < 0) return 0;
    if (text.startsWith('HTTP/1.1 101')) this.#isUpgraded = true;
    else this.#end(`no upgrade: ${text.slice(0, 300)}`);
    return headEnd + upgradeEnd.length;
  }

  #onFrame(head: number, data: Buffer, start: number, end: number): void {
    if (head !== 0x81)
      return this.#end(head === 0x88 ? 'the server closed the websocket' : `a frame that starts with 0x${head.toString(16)}`);
    if (data[start] === char2) return this.#write('3');
    if (data[start] === char0) return this.#write(this.#hello);
    if (data[start] !== char4) return this.#end(`engine packet ${data.toString('utf8', start, Math.min(end, start + 80))}`);
    const type = data[start + 1];
    if (type === char2) return this.#handlers.onEvent(this, data, start + 2, end);
    if (type === char3) return this.#onAck(data, start + 2, end);
    if (type === char0) {
      this.#connected?.resolve();
      this.#connected = undefined;
      return;
    }
    this.#end(`refused: ${data.toString('utf8', start, end)}`);
  }

  #onAck(data: Buffer, start: number, end: number): void {
    const body = data.indexOf(openingHash, start);
    let id = 0;
    for (let at = start; at < body; at += 1) id = id * 10 + (data[at] as number) - char0;
    const request = this.#requests.get(id);
    if (!request) return this.#handlers.onAck(this, id, data, body, end);
    this.#requests.delete(id);
    request((JSON.parse(data.toString('utf8', body, end)) as unknown[])[0]);
  }
}

function upgradeRequest(port: number): string {
  const key = randomBytes(16).toString('base64');
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
  ];
  return [...lines, `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13', '', ''].join('\r\n');
}
