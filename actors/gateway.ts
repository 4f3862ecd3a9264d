/**
 * Gateway: spawns a session actor for each admitted connection, in silent buckets, and drains them.
 *
 * Guarantees: over the bound or while draining nobody is admitted, with the reason; a drain tells every client why and
 * when to come back.
 * Does not: know sockets, verify tokens (the handshake has), or see commands.
 */
import { type ActorRef, type Ctx, callbackRef, spawn, spawnBucket, tell } from '../system/actor.ts';
import { type CloseCode, type Refusal, refuse } from '../system/errors.ts';
import { newId, type SessionId, type UserId } from '../system/ids.ts';
import { type Revocation, revokes } from '../system/store/revocations.ts';
import type { Answer, ClientCommand } from './client-command.ts';
import type { ClientSink } from './client-sink.ts';
import { drainSpreadMs, reconnectInMs } from './drain-spread.ts';
import type { Credential, Identity } from './identity.ts';
import { type SessionCommand, type SessionDeps, spawnSession } from './session.ts';
import type { Departure } from './user-state.ts';

// ---- protocol ----

interface GatewayMessage {
  readonly type: 'gateway.sessionEnded';
  readonly id: SessionId;
}

/** What a connection talks to. Called on the connection's own turn, one call at a time. */
export interface SessionHandle {
  /**
   * Takes a decoded command, in order. `reply` is called at most once, on any later turn; it must bear being called after
   * the connection is gone. refused: the session's queue is full or it is gone; the command was not taken and `reply` is not called.
   */
  command(command: ClientCommand, reply: (answer: Answer) => void): 'accepted' | 'refused';
  /** The connection is gone. Not said how: it was lost. */
  disconnected(how?: Departure): void;
}

export interface Gateway {
  openSession(identity: Identity, sink: ClientSink): SessionHandle | Refusal;
  sessionCount(): number;
  /** Tells every session of a user on this node, in the order they came. Returns how many there are. */
  tellUser(user: UserId, command: SessionCommand): number;
  /** Whether the user has a session on this node. */
  isHere(user: UserId): boolean;
  /** Closes every session of this node whose token it speaks of. Returns how many there are. */
  revoke(revocation: Revocation): number;
  /** Tells every client to go elsewhere, at times spread over `drainSpreadMs`; whoever comes is admitted. Returns how many there are. */
  moveAway(): number;
  /** Admits nobody from now on and tells every client, before it returns, to go elsewhere, at times spread over `drainSpreadMs`. */
  drain(): void;
  readonly ref: ActorRef<never>;
}

/** Methods, not closures: there is one of these for every connection. */
class OpenedSession implements SessionHandle {
  readonly id: SessionId;
  readonly credential: Credential;
  readonly sink: ClientSink;
  readonly ref: ActorRef<SessionCommand>;
  /** The next one of the same user. */
  next: OpenedSession | undefined;

  constructor(id: SessionId, credential: Credential, sink: ClientSink, ref: ActorRef<SessionCommand>) {
    this.id = id;
    this.credential = credential;
    this.sink = sink;
    this.ref = ref;
  }

  get user(): UserId {
    return this.credential.identity.userId;
  }

  command(command: ClientCommand, reply: (answer: Answer) => void): 'accepted' | 'refused' {
    return tell(this.ref, { type: 'session.command', command, replyTo: callbackRef<Answer>('session.reply', reply) });
  }

  disconnected(how: Departure = 'lost'): void {
    tell(this.ref, { type: 'session.disconnected', how });
  }
}

function last(session: OpenedSession): OpenedSession {
  let found = session;
  while (found.next) found = found.next;
  return found;
}

// ---- what it needs ----

export interface GatewayDeps extends SessionDeps {
  readonly connectionsMax: number;
}

const bucketCount = 64;

// ---- behaviour ----

class GatewayActor implements Gateway {
  private readonly deps: GatewayDeps;
  private readonly sessions = new Map<SessionId, OpenedSession>();
  /** The first of each user's sessions; the others hang on it. */
  private readonly byUser = new Map<UserId, OpenedSession>();
  readonly ref: ActorRef<GatewayMessage>;
  private readonly buckets: readonly ActorRef<never>[];
  private nextBucket = 0;
  private isDraining = false;
  private ctx: Ctx<GatewayMessage> | undefined;

  constructor(parent: ActorRef<never>, deps: GatewayDeps) {
    this.deps = deps;
    const behaviour = { kind: 'gateway', start: this.start, receive: this.receive };
    // The buckets are beside this actor, not under it: a restart stops what is under an actor, and the sessions need not notice.
    const home = spawnBucket(parent, 'gateway');
    this.ref = spawn<GatewayActor, GatewayMessage>(home, behaviour, {
      name: 'owner',
      mailboxMax: gatewayMailboxMax,
      restarts: gatewayRestarts,
    });
    this.buckets = Array.from({ length: bucketCount }, (_, index) => spawnBucket(home, `bucket-${String(index).padStart(2, '0')}`));
  }

  private readonly start = (ctx: Ctx<GatewayMessage>): GatewayActor => {
    this.ctx = ctx;
    for (const session of this.sessions.values()) this.watch(session);
    return this;
  };

  private readonly receive = (state: GatewayActor, msg: GatewayMessage): GatewayActor => {
    this.forget(msg.id);
    return state;
  };

  openSession(identity: Identity, sink: ClientSink): SessionHandle | Refusal {
    if (this.isDraining) return refuse('TOO_MANY_CONNECTIONS', 'this node is stopping; connect to another', drainSpreadMs);
    if (this.sessions.size >= this.deps.connectionsMax)
      return refuse('TOO_MANY_CONNECTIONS', 'this node is full; try again or another', 5_000);
    const id = newId() as SessionId;
    this.nextBucket = (this.nextBucket + 1) % bucketCount;
    const credential: Credential = { identity };
    const ref = spawnSession(this.buckets[this.nextBucket] as ActorRef<never>, id, credential, sink, this.deps);
    const session = new OpenedSession(id, credential, sink, ref);
    this.remember(session);
    return session;
  }

  sessionCount(): number {
    return this.sessions.size;
  }

  tellUser(user: UserId, command: SessionCommand): number {
    let count = 0;
    for (const { ref } of this.sessionsOf(user)) {
      tell(ref, command);
      count += 1;
    }
    return count;
  }

  isHere(user: UserId): boolean {
    return this.byUser.has(user);
  }

  revoke(revocation: Revocation): number {
    const { of } = revocation;
    const candidates = 'user' in of ? this.sessionsOf(of.user) : this.sessions.values();
    let count = 0;
    for (const { credential, ref, sink } of candidates) {
      if (!revokes(revocation, credential.identity)) continue;
      count += 1;
      // A client that keeps its session's queue full does not stay connected by that.
      if (tell(ref, { type: 'session.close', code: 'REVOKED' }) === 'refused') sink.close('REVOKED');
    }
    return count;
  }

  moveAway(): number {
    return this.isDraining ? 0 : this.closeAll('STORE_UNAVAILABLE');
  }

  drain(): void {
    this.isDraining = true;
    this.closeAll('SERVER_DRAINING');
  }

  private closeAll(code: CloseCode): number {
    const count = this.sessions.size;
    let index = 0;
    for (const { ref, sink } of this.sessions.values()) {
      const waitMs = reconnectInMs(index, count);
      index += 1;
      // The connection first: it takes no more commands, and the session still carries out those that it has.
      sink.close(code, waitMs);
      tell(ref, { type: 'session.close', code, reconnectInMs: waitMs });
    }
    return count;
  }

  private remember(session: OpenedSession): void {
    this.sessions.set(session.id, session);
    const { user } = session;
    const first = this.byUser.get(user);
    if (!first) this.byUser.set(user, session);
    else last(first).next = session;
    this.watch(session);
  }

  /** In the order they came. Those that end while one goes through them are still visited. */
  private sessionsOf(user: UserId): readonly OpenedSession[] {
    const sessions: OpenedSession[] = [];
    for (let session = this.byUser.get(user); session; session = session.next) sessions.push(session);
    return sessions;
  }

  private watch({ id, ref }: OpenedSession): void {
    this.ctx?.watch(ref, () => ({ type: 'gateway.sessionEnded', id }));
  }

  private forget(id: SessionId): void {
    const session = this.sessions.get(id);
    if (!session) return;
    this.sessions.delete(id);
    const { user, next } = session;
    const first = this.byUser.get(user);
    if (first !== session) {
      for (let other = first; other; other = other.next) if (other.next === session) other.next = next;
    } else if (next) this.byUser.set(user, next);
    else this.byUser.delete(user);
  }
}

// ---- restarts and spawn ----

const gatewayRestarts = { restartsMax: 5, windowMs: 10_000, backoffMs: 10, backoffMaxMs: 1_000 } as const;
const gatewayMailboxMax = 100_000;

export function spawnGateway(parent: ActorRef<never>, deps: GatewayDeps): Gateway {
  return new GatewayActor(parent, deps);
}
