/**
 * WebsocketConnection: a socket.io client on a websocket of its own, from the upgrade to the close. An unmodified client cannot tell it
 * from socket.io's server.
 *
 * Guarantees: one CONNECT; events reach the guest in their order, in the turn in which they came; nothing is thrown into ws. What does
 * not follow the protocol ends the connection. One write carries a turn's answers and the frame behind them.
 * Does not: know tokens, sessions or bounds. Why not socket.io's own: four emitters and ten objects for each connection were half of its
 * heap, and half of what a command costs.
 */
import type { RawData, WebSocket } from 'ws';
import { newId } from '../system/ids.ts';
import type { ClientSocket, ClientSocketListener } from './client-socket.ts';
import { type EncodedFrame, websocketFrames, websocketText } from './frame-encoder.ts';
import type { Pinged } from './ping-sweep.ts';
import type { Departure } from './session-port.ts';
import { enginePacket, readPacket, type SocketPacket, socketPacket } from './socket-packet.ts';

/** Whoever was let in: where its events go. */
export interface Guest {
  /** The event's name, its arguments, and the function that answers where an answer is asked for. Never throws. */
  handle(packet: readonly unknown[]): void;
  /** Takes the packet that answers a command. */
  answer(packet: string): void;
  /** The client knows that it is connected. */
  start(): void;
  gone(departure: Departure): void;
}

/** One for all connections of a server. */
export interface WebsocketHost {
  /** CONNECT came. The body of the refusal goes to the client, and the connection ends soon after. */
  connect(connection: WebsocketConnection, auth: unknown): Guest | { readonly refused: object };
  closed(connection: WebsocketConnection): void;
}

/** The parts of ws that its types keep to themselves. ws is pinned; `websocket-connection.test` holds it to this. */
interface WebsocketInside {
  readonly _sender: { sendFrame(list: readonly Buffer[], sent?: () => void): void };
}

const ownerKey = Symbol('connection');
interface OwnedSocket extends WebSocket {
  [ownerKey]?: WebsocketConnection;
}

export class WebsocketConnection implements ClientSocket, Pinged {
  pingedMs: number | undefined = undefined;
  readonly #socket: OwnedSocket;
  readonly #host: WebsocketHost;
  #guest: Guest | undefined;
  #listener: ClientSocketListener | undefined;
  #isRefused = false;
  #departure: Departure = 'lost';
  #frames = 0;
  /** Binary frames that belong to an event which was answered already. */
  #attachments = 0;

  constructor(socket: WebSocket, host: WebsocketHost) {
    this.#socket = socket;
    this.#host = host;
    this.#socket[ownerKey] = this;
    // Functions of the file, not of each connection.
    socket.on('message', onMessage);
    socket.on('close', onClose);
    socket.on('error', onError);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get unsentFrames(): number {
    return this.#frames;
  }

  listen(listener: ClientSocketListener): void {
    this.#listener = listener;
  }

  /** engine.io's first packet. The websocket is all there is: no upgrades. */
  welcome(about: { readonly pingInterval: number; readonly pingTimeout: number; readonly maxPayload: number }): void {
    this.#sendText(`${enginePacket.open}${JSON.stringify({ sid: newId(), upgrades: [], ...about })}`);
  }

  ping(): void {
    this.#sendText(enginePacket.ping);
  }

  silent(): void {
    this.#departure = 'silent';
    this.cut();
  }

  write(packets: readonly string[], frame?: EncodedFrame): void {
    const buffer = packets.length === 0 ? frame?.buffer : websocketFrames(packets, frame?.buffer);
    if (!buffer || !this.isOpen) return;
    this.#frames += 1;
    this.#send(buffer, this.#sent);
  }

  end(mayReturn: boolean): void {
    if (!mayReturn) this.write([socketPacket.disconnect]);
    this.#socket.close();
  }

  cut(): void {
    this.#socket.terminate();
  }

  readonly #sent = (): void => {
    this.#frames -= 1;
    this.#listener?.sent();
  };

  #sendText(text: string): void {
    if (this.isOpen) this.#send(websocketText(text));
  }

  /** What has to wait is copied out of its slab: else each of its frames would keep a whole one. */
  #send(buffer: Buffer, sent?: () => void): void {
    const own = this.unsentBytes > 0 && buffer.buffer.byteLength > buffer.length ? copyOf(buffer) : buffer;
    (this.#socket as unknown as WebsocketInside)._sender.sendFrame([own], sent);
  }

  // ---- what comes ----

  receive(data: RawData, isBinary: boolean): void {
    if (isBinary) {
      if (this.#attachments === 0) return this.cut();
      this.#attachments -= 1;
      return;
    }
    this.#take(readPacket(data.toString()));
  }

  #take(packet: SocketPacket): void {
    switch (packet.type) {
      case 'event':
        return this.#takeEvent(packet);
      case 'pong':
        this.pingedMs = undefined;
        return;
      case 'connect':
        return this.#connect(packet.auth);
      case 'stranger':
        this.write([`${socketPacket.connectError}${packet.namespace},{"message":"Invalid namespace"}`]);
        return;
      case 'leave':
        this.#departure = 'left';
        this.#socket.close();
        return;
      case 'close':
        this.#socket.close();
        return;
      case 'nothing':
        return;
      case 'malformed':
        return this.cut();
    }
  }

  #takeEvent({ event, ackId, attachments }: Extract<SocketPacket, { type: 'event' }>): void {
    const guest = this.#guest;
    if (!guest) return this.cut(); // Nobody is connected yet, or was refused.
    this.#attachments += attachments;
    if (ackId !== '') event.push((body: unknown): void => guest.answer(`${socketPacket.ack}${ackId}[${JSON.stringify(body)}]`));
    guest.handle(event);
  }

  /** Each connection gets one try, whatever came of it: else one packet of 64 kB could open thousands of sessions. */
  #connect(auth: unknown): void {
    if (this.#guest || this.#isRefused) return this.cut();
    const guest = this.#host.connect(this, auth);
    if ('refused' in guest) {
      this.#isRefused = true;
      this.write([`${socketPacket.connectError}${JSON.stringify(guest.refused)}`]);
      return;
    }
    this.#guest = guest;
    this.write([`${socketPacket.connect}{"sid":"${newId()}"}`]);
    guest.start();
  }

  closed(): void {
    this.#host.closed(this);
    this.#listener?.closed();
    this.#guest?.gone(this.#departure);
  }
}

/** Not of Buffer's pool, which is a slab too. */
function copyOf(buffer: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(buffer.length);
  buffer.copy(copy);
  return copy;
}

function onMessage(this: OwnedSocket, data: RawData, isBinary: boolean): void {
  this[ownerKey]?.receive(data, isBinary);
}
function onClose(this: OwnedSocket): void {
  this[ownerKey]?.closed();
}
/** ws closes the connection after it; without a listener the process would end. */
function onError(): void {}
