/**
 * Reception: lets clients in, whatever transport they come by, and knows who is here.
 *
 * Guarantees: a token is looked at only while the address may bring one; every session that was opened is told once that its connection is
 * gone; a seat that no session came of is given back.
 * Does not: know socket.io or a websocket.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refuse } from '../system/errors.ts';
import type { Admission, Seat } from './admission.ts';
import type { AddressKey } from './client-address.ts';
import type { ClientSocket } from './client-socket.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import type { ConnectMetrics } from './edge-metrics.ts';
import { identify } from './handshake.ts';
import { Outbox, type OutboxDeps } from './outbox.ts';
import { isRefusal, type OpenSession, type SessionHandle } from './session-port.ts';

export interface ReceptionDeps extends Omit<ConnectionDeps, 'left'> {
  readonly admission: Admission;
  readonly openSession: OpenSession;
  readonly outboxes: OutboxDeps;
  readonly connects: ConnectMetrics;
}

/** What came with CONNECT, and by which connection. */
export interface Knock {
  readonly auth: unknown;
  readonly headers: IncomingHttpHeaders;
  readonly address: AddressKey;
}

const drainRetryAfterMs = 1_000;
export const stopping: Refusal = refuse('BUSY', 'the node is stopping; connect to another one', drainRetryAfterMs);

export class Reception {
  readonly #deps: ReceptionDeps;
  readonly #connections: ConnectionDeps;
  readonly #open = new Set<Outbox>();
  #isAccepting = true;
  #onEmpty: (() => void) | undefined;

  constructor(deps: ReceptionDeps) {
    this.#deps = deps;
    this.#connections = { ...deps, left: (outbox) => this.#left(outbox as Outbox) };
  }

  get isAccepting(): boolean {
    return this.#isAccepting;
  }

  /** Of sessions open now. */
  get outboxes(): ReadonlySet<Outbox> {
    return this.#open;
  }

  stopAccepting(): void {
    this.#isAccepting = false;
  }

  /** A client with a session, or why not. Never throws. */
  admit(socket: ClientSocket, knock: Knock): Connection | Refusal {
    let outcome: Connection | Refusal;
    try {
      outcome = this.#admit(socket, knock);
    } catch (error) {
      this.#deps.log.error({ ev: 'gateway.bug', err: error }, 'a handshake crashed');
      outcome = refuse('INTERNAL', 'the server failed');
    }
    this.#deps.connects.count(isRefusal(outcome) ? outcome.code : 'OK');
    return outcome;
  }

  #admit(socket: ClientSocket, { auth, headers, address }: Knock): Connection | Refusal {
    const { admission, verifier } = this.#deps;
    if (!this.#isAccepting) return stopping;
    const waitMs = admission.badTokenWaitMs(address);
    if (waitMs !== undefined) return refuse('TOO_MANY_CONNECTIONS', 'too many bad tokens from your address', waitMs);
    const identity = identify(auth, headers, verifier);
    if (isRefusal(identity)) {
      if (identity.code === 'UNAUTHENTICATED') admission.badToken(address);
      return identity;
    }
    const user = identity.userId;
    const seat = admission.sit(user, address);
    if (isRefusal(seat)) return seat;
    const outbox = new Outbox(socket, this.#deps.outboxes, user);
    const session = openOrLeave(seat, () => this.#deps.openSession(identity, outbox));
    if (isRefusal(session)) return session;
    this.#open.add(outbox);
    return new Connection(this.#connections, { session, seat, outbox, user });
  }

  #left(outbox: Outbox): void {
    this.#open.delete(outbox);
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** Resolves when nobody is here, or after `deadlineMs`. */
  empty(deadlineMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const cancel = this.#deps.clock.after(deadlineMs, resolve);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
      if (this.#open.size === 0) this.#onEmpty();
    });
  }
}

/** A seat that no session came of is given back. */
function openOrLeave(seat: Seat, open: () => SessionHandle | Refusal): SessionHandle | Refusal {
  let session: SessionHandle | Refusal | undefined;
  try {
    session = open();
    return session;
  } finally {
    if (session === undefined || isRefusal(session)) seat.leave();
  }
}
