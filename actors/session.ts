/**
 * Session: one connection of one user. Knows who it is, which rooms it has open, and when its token ends.
 *
 * Guarantees: commands of one connection reach a room in the order they came; every command is answered once.
 * Does not: judge rights (the room does), decode (the gateway did), order entries.
 */
import { type ActorRef, type Behaviour, type Ctx, callbackRef, spawn, tell } from '../system/actor.ts';
import { assertNever, type CloseCode, refuse } from '../system/errors.ts';
import { type Cid, dmRoomId, newId, type RoomId, type SessionId, type UserId } from '../system/ids.ts';
import type { RoomFacts } from '../system/store/entry.ts';
import { type Answer, type ClientCommand, isOpen } from './client-command.ts';
import type { ClientSink } from './client-sink.ts';
import type { HeadWatch } from './head-watch.ts';
import type { HeadWatcher } from './head-watcher.ts';
import type { Credential, Identity } from './identity.ts';
import type { Presence } from './presence.ts';
import { type PresenceDue, watchAnswerMs } from './presence-feed.ts';
import type { Reads } from './reads.ts';
import type { RoomWrite } from './room-fold.ts';
import type { ReadNotice } from './room-notices.ts';
import type { ReaderGone } from './room-readers.ts';
import type { Rooms } from './rooms.ts';
import { SessionPresence } from './session-presence.ts';
import { SessionToken, type SessionTokenDeps, type TokenDue } from './session-token.ts';
import type { Departure } from './user-state.ts';
import type { Voice } from './voice.ts';

// ---- protocol ----

export type SessionCommand =
  | { readonly type: 'session.command'; readonly command: ClientCommand; readonly replyTo: ActorRef<Answer> }
  /** The client's connection has room again after a refused frame. */
  | { readonly type: 'session.sinkReady' }
  /** The connection is gone. */
  | { readonly type: 'session.disconnected'; readonly how: Departure }
  | PresenceDue
  | ReaderGone
  /** A read mark of this session's user was raised. */
  | ({ readonly type: 'session.read' } & ReadNotice)
  | { readonly type: 'session.close'; readonly code: CloseCode; readonly reconnectInMs?: number };
type SessionInternal = TokenDue | { readonly type: 'session.opened'; readonly room: RoomId; readonly opening: number };
type SessionMessage = SessionCommand | SessionInternal;

// ---- what it needs ----

export interface SessionDeps extends SessionTokenDeps {
  readonly rooms: Rooms;
  readonly reads: Reads;
  readonly presence: Presence;
  readonly heads: HeadWatch;
  readonly voice: Voice;
  readonly roomsPerSocketMax: number;
  /** Ids for entries that clients do not name: `sys:` and unique for this incarnation. */
  readonly newSystemCid: () => Cid;
}

// ---- state ----

/** All of it is in the behaviour itself: a session that crashes is over, so there is no state to begin anew with. */
type SessionState = undefined;

const tokenOver = refuse('TOKEN_EXPIRED', 'the token has expired; connect with a new one');
const sessionOver = refuse('BUSY', 'the connection ended before this was done; send again with the same cid', 500);

// ---- behaviour ----

/** Methods, not closures: there is one of these for every connection. */
class Session implements Behaviour<SessionState, SessionMessage> {
  private readonly id: SessionId;
  private readonly credential: Credential;
  private readonly sink: ClientSink;
  private readonly deps: SessionDeps;
  private readonly token: SessionToken;
  private readonly presence: SessionPresence;
  /** Since the first list of rooms. */
  private heads: HeadWatcher | undefined;
  private departure: Departure = 'lost';
  /** The open rooms, each with the number of its last opening. */
  private readonly openings = new Map<RoomId, number>();
  private lastOpening = 0;

  constructor(id: SessionId, credential: Credential, sink: ClientSink, deps: SessionDeps) {
    this.id = id;
    this.credential = credential;
    this.sink = sink;
    this.deps = deps;
    this.token = new SessionToken(credential, sink, deps);
    this.presence = new SessionPresence(deps.presence, id, credential.identity.userId);
  }

  private get identity(): Identity {
    return this.credential.identity;
  }

  get kind(): string {
    return 'session';
  }

  start(ctx: Ctx<SessionMessage>): SessionState {
    this.sink.onRoom(() => tell(ctx.self, { type: 'session.sinkReady' }));
    this.token.look(ctx);
    this.presence.begin();
  }

  receive(_state: SessionState, msg: SessionMessage, ctx: Ctx<SessionMessage>): SessionState {
    switch (msg.type) {
      case 'session.command':
        return this.onCommand(msg.command, msg.replyTo, ctx);
      case 'session.sinkReady':
        this.presence.sinkReady();
        this.token.tell();
        this.heads?.sinkReady();
        this.deps.voice.sinkReady(this.id);
        for (const room of this.openings.keys()) this.deps.rooms.sendIfActive(room, { type: 'room.readerReady', reader: this.id });
        return;
      case 'session.presenceDue':
        return; // The turn ends with a flush.
      case 'session.opened':
        if (this.openings.get(msg.room) === msg.opening) this.presence.opened(msg.room);
        return;
      case 'session.readerGone':
        return this.openings.get(msg.room) === msg.opening ? this.forget(msg.room) : undefined; // Else opened anew meanwhile.
      case 'session.read':
        if (msg.from !== this.id && !(msg.isShownInRoom && this.openings.has(msg.room))) this.sink.send(msg.frame);
        return;
      case 'session.tokenDue':
        if (this.token.isOver) return this.expire(ctx);
        this.token.look(ctx);
        return;
      case 'session.close':
        this.sink.close(msg.code, msg.reconnectInMs);
        ctx.stop();
        return;
      case 'session.disconnected':
        this.departure = msg.how;
        ctx.stop();
        return;
      default:
        return assertNever(msg);
    }
  }

  turnEnd(_state: SessionState, ctx: Ctx<SessionMessage>): SessionState {
    this.presence.flush(ctx.nowMs());
  }

  stopped(_state: SessionState | undefined, reason: 'stopped' | 'crashed'): void {
    this.presence.end(this.departure);
    this.heads?.end();
    this.deps.voice.ended(this.id, this.identity.userId, this.departure);
    for (const room of this.openings.keys()) this.deps.rooms.sendIfActive(room, { type: 'room.close', reader: this.id });
    this.sink.close(reason === 'crashed' ? 'INTERNAL' : 'SERVER_DRAINING'); // Nothing, where it was closed before.
  }

  /** It waited for a session that ended. */
  unhandled(msg: SessionMessage): void {
    if (msg.type === 'session.command') tell(msg.replyTo, { ok: false, refusal: this.token.isOver ? tokenOver : sessionOver });
  }

  describe(): Record<string, string> {
    return { session: this.id };
  }

  // ---- handlers ----

  private onCommand(command: ClientCommand, replyTo: ActorRef<Answer>, ctx: Ctx<SessionMessage>): SessionState {
    const { userId, name } = this.identity;
    if (this.token.isOver) {
      tell(replyTo, { ok: false, refusal: tokenOver });
      return this.expire(ctx);
    }
    switch (command.type) {
      case 'auth.refresh': {
        const refusal = this.token.refresh(command.identity, ctx);
        const { expiresAtMs } = this.identity;
        tell(replyTo, refusal ? { ok: false, refusal } : { ok: true, result: { type: 'refreshed', expiresAtMs } });
        return;
      }
      case 'room.list':
        this.list(replyTo);
        return;
      case 'room.open':
        return this.onOpen(command, replyTo, ctx);
      case 'room.close':
        this.deps.rooms.sendIfActive(command.room, { type: 'room.close', reader: this.id });
        tell(replyTo, { ok: true, result: { type: 'done' } });
        return this.forget(command.room);
      case 'history.get':
        this.deps.reads.history(this.id, userId, command.room, command.range, replyTo);
        return;
      case 'typing':
        this.send(command.room, { type: 'room.typing', user: userId, replyTo }, replyTo);
        return;
      case 'presence.watch':
        this.watch(command.users, replyTo, ctx);
        return;
      case 'read.mark':
        this.send(command.room, { type: 'room.mark', user: userId, seq: command.seq, from: this.id, replyTo }, replyTo);
        return;
      case 'voice.enter':
      case 'voice.leave':
      case 'voice.list':
        this.deps.voice.ask({ id: this.id, user: userId, sink: this.sink }, command, replyTo);
        return;
      case 'room.create': {
        const room = command.kind === 'dm' ? dmRoomId(userId, command.members[0] ?? userId) : (command.id ?? (newId() as RoomId));
        const write = { type: 'create', facts: factsOf(command, userId) } as const;
        const create = { by: userId, name, cid: this.deps.newSystemCid(), write };
        this.send(room, { type: 'room.write', command: create, isIdChosen: command.id !== undefined, replyTo }, replyTo);
        return;
      }
      default:
        this.write(command.room, writeOf(command), replyTo, name, 'cid' in command ? command.cid : undefined);
        return;
    }
  }

  private expire(ctx: Ctx<SessionMessage>): SessionState {
    this.sink.close('TOKEN_EXPIRED');
    ctx.stop();
  }

  private onOpen(
    command: Extract<ClientCommand, { type: 'room.open' }>,
    replyTo: ActorRef<Answer>,
    ctx: Ctx<SessionMessage>,
  ): SessionState {
    const { room, since, epoch, limit } = command;
    const wasOpen = this.openings.has(room);
    if (!wasOpen && this.openings.size >= this.deps.roomsPerSocketMax) {
      const refusal = refuse('BUSY', `at most ${this.deps.roomsPerSocketMax} rooms open on one connection; close one first`);
      tell(replyTo, { ok: false, refusal });
      return;
    }
    const { id: reader, sink } = this;
    this.lastOpening += 1;
    const opening = this.lastOpening;
    const position = { ...(since === undefined ? undefined : { since }), ...(epoch === undefined ? undefined : { epoch }) };
    // The answer goes straight to the connection, so that it leaves before the first entries do.
    const answered = callbackRef<Answer>('session.opened', (answer) => {
      const isOpened = answer.ok && answer.result.type === 'opened' && isOpen(answer.result);
      if (isOpened) tell(ctx.self, { type: 'session.opened', room, opening });
      // A room that is busy leaves an earlier opening as it is; "you are no member" does not.
      else if (!wasOpen || answer.ok || !answer.refusal.retryable) tell(ctx.self, { type: 'session.readerGone', room, opening });
      tell(replyTo, answer);
    });
    this.openings.set(room, opening);
    const { userId: user } = this.identity;
    const reading = { reader, user, sink, session: ctx.self, opening };
    this.send(room, { type: 'room.open', ...reading, limit, replyTo: answered, ...position }, answered);
  }

  private forget(room: RoomId): SessionState {
    this.openings.delete(room);
    this.presence.closed(room);
    this.heads?.closed(room);
  }

  private watch(users: readonly UserId[], replyTo: ActorRef<Answer>, ctx: Ctx<SessionMessage>): void {
    const refusal = this.presence.watch(users, replyTo, ctx.self, this.sink);
    if (refusal) tell(replyTo, { ok: false, refusal });
    else ctx.after(watchAnswerMs, { type: 'session.presenceDue' });
  }

  private write(room: RoomId, write: RoomWrite, replyTo: ActorRef<Answer>, name: string, cid: Cid = this.deps.newSystemCid()): void {
    this.send(room, { type: 'room.write', command: { by: this.identity.userId, name, cid, write }, replyTo }, replyTo);
  }

  private send(room: RoomId, command: Parameters<Rooms['send']>[1], replyTo: ActorRef<Answer>): void {
    const refusal = this.deps.rooms.send(room, command);
    if (refusal) tell(replyTo, { ok: false, refusal });
  }

  private list(replyTo: ActorRef<Answer>): void {
    const { userId } = this.identity;
    const heads = this.heads ?? this.deps.heads.watcher(userId, this.sink, (room) => this.openings.has(room));
    this.heads = heads;
    const position = heads.position();
    this.deps.reads.list(this.id, userId, replyTo, {
      onRooms: (rooms) => heads.replace(rooms, position),
      onListed: (rooms) => this.deps.heads.onListed(rooms),
    });
  }
}

function factsOf(command: Extract<ClientCommand, { type: 'room.create' }>, owner: UserId): RoomFacts {
  const others = [...new Set(command.members)].filter((user) => user !== owner);
  const memberRole = command.kind === 'dm' ? 'owner' : 'member';
  return {
    kind: command.kind,
    ...(command.name === undefined ? undefined : { name: command.name }),
    public: command.kind !== 'dm' && command.public,
    ...(command.community === undefined ? undefined : { community: command.community }),
    members: [{ user: owner, role: 'owner' }, ...others.map((user) => ({ user, role: memberRole }) as const)],
  };
}

type WritingCommand = Extract<
  ClientCommand,
  { type: 'room.join' | 'room.leave' | 'room.invite' | 'room.kick' | `message.${'send' | 'modify' | 'delete' | 'react'}` }
>;

function writeOf(command: WritingCommand): RoomWrite {
  switch (command.type) {
    case 'room.join':
      return { type: 'join' };
    case 'room.leave':
      return { type: 'leave' };
    case 'room.invite':
      return { type: 'invite', user: command.user };
    case 'room.kick':
      return { type: 'kick', user: command.user };
    case 'message.send':
      return { type: 'send', text: command.text, ...(command.replyTo === undefined ? undefined : { replyTo: command.replyTo }) };
    case 'message.modify':
      return { type: 'modify', target: command.target, text: command.text };
    case 'message.delete':
      return { type: 'delete', target: command.target };
    case 'message.react':
      return { type: 'react', target: command.target, emoji: command.emoji, on: command.on };
    default:
      return assertNever(command);
  }
}

// ---- restarts and spawn ----

/** Commands waiting for one session; more are answered BUSY. */
export const sessionMailboxMax = 256;

/** A crash ends it: the connection is closed with INTERNAL and the client resumes on a new one. */
export function spawnSession(
  parent: ActorRef<never>,
  id: SessionId,
  credential: Credential,
  sink: ClientSink,
  deps: SessionDeps,
): ActorRef<SessionCommand> {
  const session = new Session(id, credential, sink, deps);
  return spawn<SessionState, SessionMessage>(parent, session, { name: id, mailboxMax: sessionMailboxMax, restarts: 'never' });
}
