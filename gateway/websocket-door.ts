/**
 * WebsocketDoor: takes websockets of socket.io clients itself, past socket.io's server. What else asks for an upgrade (a client
 * that polled before, another protocol version, nonsense) goes to engine.io as ever.
 *
 * Guarantees: a handshake is bounded in bytes, time and number; no HTTP request is held once a client is connected; a client that does
 * not answer pings is ended.
 */
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { refuse } from '../system/errors.ts';
import type { AddressKey } from './client-address.ts';
import type { DoorDeps } from './door.ts';
import type { TakeUpgrade } from './engine-door.ts';
import { ConnectRefused } from './handshake.ts';
import { refuseHandshake } from './handshake-answer.ts';
import { PingSweep } from './ping-sweep.ts';
import { isRefusal } from './session-port.ts';
import { type Guest, WebsocketConnection, type WebsocketHost } from './websocket-connection.ts';

/** For the client to close in turn. Then its socket is ended. */
const closeTimeoutMs = 1_000;

/** Of a connection that has not said CONNECT. */
interface Waiting {
  readonly headers: IncomingHttpHeaders;
  readonly address: AddressKey;
  readonly cancelTimeout: () => void;
}

export class WebsocketDoor implements WebsocketHost {
  readonly #deps: DoorDeps;
  readonly #websockets: WebSocketServer;
  readonly #pings: PingSweep;
  readonly #open = new Set<WebsocketConnection>();
  readonly #waiting = new Map<WebsocketConnection, Waiting>();

  constructor(deps: DoorDeps) {
    this.#deps = deps;
    this.#pings = new PingSweep(deps.pings, deps.clock);
    const options: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: deps.packetBytesMax,
      closeTimeout: closeTimeoutMs,
    };
    this.#websockets = new WebSocketServer(options);
    this.#websockets.on('headers', (headers: string[]) => headers.push('x-content-type-options: nosniff', 'referrer-policy: no-referrer'));
  }

  /** What is not for this door goes on to `others`. */
  attach(server: Server, others: TakeUpgrade): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (isOurs(request.url ?? '')) this.#take(request, socket, head);
      else others(request, socket, head);
    });
  }

  close(): void {
    this.#pings.stop();
    for (const connection of this.#open) connection.cut();
  }

  #take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refused = this.#deps.refusalOfKnock(request);
    if (refused) return refuseHandshake(request, refused.status, refused.refusal);
    this.#websockets.handleUpgrade(request, socket, head, (websocket) => this.#knocked(websocket, request));
  }

  #knocked(websocket: WebSocket, request: IncomingMessage): void {
    const { admission, addressOf, clock, connectTimeoutMs, pings, packetBytesMax } = this.#deps;
    const connection = new WebsocketConnection(websocket, this);
    const address = addressOf(request);
    // An idle connection costs memory before any identity.
    const cancelTimeout = clock.after(connectTimeoutMs, () => connection.cut());
    this.#open.add(connection);
    this.#waiting.set(connection, { headers: request.headers, address, cancelTimeout });
    admission.knocked(connection, address);
    this.#pings.add(connection);
    connection.welcome({ pingInterval: pings.pingIntervalMs, pingTimeout: pings.pingTimeoutMs, maxPayload: packetBytesMax });
  }

  connect(connection: WebsocketConnection, auth: unknown): Guest | { readonly refused: object } {
    const { reception, refusedLingerMs, clock } = this.#deps;
    const waiting = this.#waiting.get(connection);
    const outcome = waiting ? reception.admit(connection, { auth, ...waiting }) : refuse('INVALID', 'one CONNECT per connection');
    if (!isRefusal(outcome)) {
      this.#noLongerWaits(connection);
      return outcome;
    }
    clock.after(refusedLingerMs, () => connection.end(true));
    const { message, data } = new ConnectRefused(outcome);
    return { refused: { message, data } };
  }

  closed(connection: WebsocketConnection): void {
    this.#noLongerWaits(connection);
    if (this.#open.delete(connection)) this.#pings.gone();
  }

  #noLongerWaits(connection: WebsocketConnection): void {
    this.#waiting.get(connection)?.cancelTimeout();
    this.#waiting.delete(connection);
    this.#deps.admission.doneKnocking(connection);
  }
}

/** A websocket from the start, by a client of the protocol that is served. */
function isOurs(url: string): boolean {
  const [path = '', query = ''] = url.split('?', 2);
  if (path !== '/socket.io/' && path !== '/socket.io') return false;
  const asked = new URLSearchParams(query);
  return asked.get('transport') === 'websocket' && asked.get('EIO') === '4' && !asked.has('sid');
}
