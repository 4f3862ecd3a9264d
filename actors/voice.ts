/**
 * Voice: who is in the voice channels of communities, for the sessions of this node. Media itself is none of its business.
 *
 * Owns: the part of this node (told to the state server as sessions at a place of their own), what the server says of others, who hears.
 * Guarantees: a command is answered once; entering moves; a community is told to those who listed or entered it at most every
 * `voicePaceMs`; nobody is shown where they are not: while nothing is known of other nodes a view says `complete: false`.
 * Does not: take part in a message's way; a crash costs a restart and nobody's place.
 */
import { type ActorRef, type Ctx, spawn, tell } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { refuse } from '../system/errors.ts';
import type { SessionId, UserId } from '../system/ids.ts';
import { type StateLink, voicePlace } from '../system/state/state-link.ts';
import type { Entry } from '../system/store/entry.ts';
import type { StateEvent } from '../system/wire/wire.ts';
import type { Answer } from './client-command.ts';
import type { ClientSink, Frame, FrameEncoder } from './client-sink.ts';
import type { Departure } from './user-state.ts';
import { type VoiceRightsDeps, voiceRight } from './voice-rights.ts';
import { type VoiceAsk, type VoiceChannel, VoiceState, type VoiceView } from './voice-state.ts';

// ---- protocol ----

type Right = 'community' | 'room' | undefined;
type VoiceMessage =
  | { readonly type: 'voice.judged'; readonly asked: Asked; readonly right: Right | 'unknown' }
  | {
      readonly type: 'voice.rejudged';
      readonly session: SessionId;
      readonly user: UserId;
      readonly community: string;
      readonly right: Right | 'unknown';
    }
  | { readonly type: 'voice.ask'; readonly asked: Asked }
  | { readonly type: 'voice.rejudge'; readonly users: ReadonlySet<UserId> }
  | { readonly type: 'voice.due' };

/** A session's end of it. */
export interface VoiceSession {
  readonly id: SessionId;
  readonly user: UserId;
  readonly sink: Pick<ClientSink, 'sendMinor'>;
}

export interface Voice {
  ask(session: VoiceSession, ask: VoiceAsk, replyTo: ActorRef<Answer>): void;
  /** The connection has room again after a refused frame. */
  sinkReady(session: SessionId): void;
  ended(session: SessionId, user: UserId, how: Departure): void;
  /** Control entries of a room: whoever was removed may have no right any more. */
  onMembership(entries: readonly Entry[]): void;
  counts(): { readonly users: number; readonly communities: number };
  readonly ref: ActorRef<never>;
}

// ---- what it needs ----

export interface VoiceDeps extends VoiceRightsDeps {
  readonly link: Pick<StateLink, 'put' | 'remove' | 'voice'>;
  readonly encoder: Pick<FrameEncoder, 'voice'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** To other services. */
  readonly publish: (event: StateEvent) => void;
}

/** Between two events of one community. */
export const voicePaceMs = 150;
/** An answer waits so long for what the state server knows. */
const answerMs = 300;
/** Rights being looked up at once. More: BUSY. */
export const voiceRightsMax = 64;
/** Answers that wait for the state server. More: answered with what is known. */
const waitingMax = 1_000;
/** People in all voice channels of a community. More: BUSY. It bounds the event, too. */
export const voiceUsersMax = 1_000;

interface Asked {
  readonly session: VoiceSession;
  readonly ask: VoiceAsk;
  readonly replyTo: ActorRef<Answer>;
  /** Of the session's last question. */
  readonly serial: number;
}
interface Waiting {
  readonly community: string;
  readonly replyTo: ActorRef<Answer>;
  readonly untilMs: number;
}

const noRight = refuse('NOT_FOUND', 'no such community');

// ---- behaviour ----

class VoiceActor implements Voice {
  readonly ref: ActorRef<VoiceMessage>;
  private readonly deps: VoiceDeps;
  private readonly state = new VoiceState();
  /** Sessions that hear of a community. */
  private readonly sessions = new Map<SessionId, VoiceSession>();
  /** The last question of each session that is being judged. */
  private readonly asking = new Map<SessionId, number>();
  private readonly due = new Set<string>();
  private readonly owed = new Map<SessionId, Set<string>>();
  private readonly rooms = new Set<string>();
  private waiting: Waiting[] = [];
  private judging = 0;
  private serial = 0;
  private isTicking = false;

  constructor(parent: ActorRef<never>, deps: VoiceDeps) {
    this.deps = deps;
    const behaviour = { kind: 'voice', start: this.start, receive: this.receive };
    this.ref = spawn<VoiceActor, VoiceMessage>(parent, behaviour, { name: 'voice', mailboxMax: voiceMailboxMax, restarts: voiceRestarts });
    deps.link.voice.listen({
      onVoice: (row) => {
        if (!this.state.isWanted(row.community)) return;
        this.state.hear(row);
        this.answerWaiting((each) => each.community === row.community);
        this.changed(row.community);
      },
      onUnknown: () => {
        const communities = this.state.unknown();
        this.answerWaiting(() => true);
        for (const community of communities) this.changed(community);
      },
    });
  }

  private readonly start = (ctx: Ctx<VoiceMessage>): VoiceActor => {
    this.judging = 0;
    this.isTicking = false;
    this.tick(ctx);
    return this;
  };

  private readonly receive = (state: VoiceActor, msg: VoiceMessage, ctx: Ctx<VoiceMessage>): VoiceActor => {
    switch (msg.type) {
      case 'voice.ask':
        this.judge(msg.asked, ctx);
        return state;
      case 'voice.judged':
        this.judging -= 1;
        this.onJudged(msg.asked, msg.right, ctx);
        return state;
      case 'voice.rejudge':
        this.rejudge(msg.users, ctx);
        return state;
      case 'voice.rejudged':
        if (msg.right === undefined) this.expel(msg.session, msg.user, msg.community);
        return state;
      case 'voice.due':
        this.isTicking = false;
        this.flush(ctx);
        return state;
    }
  };

  // ---- the way in ----

  ask(session: VoiceSession, ask: VoiceAsk, replyTo: ActorRef<Answer>): void {
    this.serial += 1;
    const asked = { session, ask, replyTo, serial: this.serial };
    if (ask.type === 'voice.leave') {
      this.asking.delete(session.id);
      const left = this.leave(session.user);
      return this.answer(replyTo, left?.community);
    }
    if (ask.type === 'voice.enter') this.asking.set(session.id, this.serial);
    if (tell(this.ref, { type: 'voice.ask', asked }) === 'accepted') return;
    this.asking.delete(session.id);
    tell(replyTo, { ok: false, refusal: refuse('BUSY', 'too many ask about voice channels', 250) });
  }

  sinkReady(id: SessionId): void {
    const owed = this.owed.get(id);
    const session = this.sessions.get(id);
    this.owed.delete(id);
    if (session) for (const community of owed ?? []) this.show(session, community, this.frameOf(community));
  }

  ended(id: SessionId, user: UserId, how: Departure): void {
    this.asking.delete(id);
    for (const community of this.state.watchedBy(id)) this.unwatch(id, community);
    this.sessions.delete(id);
    this.owed.delete(id);
    const left = this.state.ended(user, id, how, this.deps.clock.nowMs());
    if (left) this.gone(user, left);
    else if (this.state.isWaiting) this.nudge();
  }

  onMembership(entries: readonly Entry[]): void {
    const users = new Set(entries.flatMap(({ member }) => (member?.change === 'kicked' || member?.change === 'left' ? [member.user] : [])));
    if (users.size > 0 && (this.state.here > 0 || this.sessions.size > 0)) tell(this.ref, { type: 'voice.rejudge', users });
  }

  counts(): { users: number; communities: number } {
    return { users: this.state.here, communities: this.state.watched };
  }

  // ---- rights ----

  private judge(asked: Asked, ctx: Ctx<VoiceMessage>): void {
    if (this.judging >= voiceRightsMax) {
      this.asking.delete(asked.session.id);
      tell(asked.replyTo, { ok: false, refusal: refuse('BUSY', 'too many ask about voice channels at once', 250) });
      return;
    }
    this.judging += 1;
    const { community } = asked.ask as { readonly community: string };
    ctx.pipe(
      voiceRight(this.deps, asked.session.user, community),
      (right) => ({ type: 'voice.judged', asked, right }),
      (error) => {
        ctx.log.warn({ ev: 'voice.failed', cause: String(error) }, 'it could not be read who may use a voice channel');
        return { type: 'voice.judged', asked, right: 'unknown' };
      },
    );
  }

  private onJudged({ session, ask, replyTo, serial }: Asked, right: Right | 'unknown', ctx: Ctx<VoiceMessage>): void {
    const isLast = this.asking.get(session.id) === serial;
    if (isLast) this.asking.delete(session.id);
    if (right === 'unknown') return void tell(replyTo, { ok: false, refusal: refuse('STORE_UNAVAILABLE', 'try again', 1_000) });
    if (right === undefined) return void tell(replyTo, { ok: false, refusal: noRight });
    const { community } = ask as { readonly community: string };
    if (right === 'room') this.rooms.add(community);
    if (ask.type === 'voice.enter') {
      if (!isLast) return void tell(replyTo, { ok: false, refusal: refuse('BUSY', 'you left, or entered another channel, meanwhile') });
      if (!this.hasRoom(session.user, community)) {
        return void tell(replyTo, {
          ok: false,
          refusal: refuse('BUSY', `at most ${voiceUsersMax} people in the voice channels of a community`),
        });
      }
      this.enter(session, ask);
    } else {
      this.deps.publish({ type: 'before-enter', userId: session.user, communityId: community });
    }
    if (!this.watch(session, community))
      return void tell(replyTo, { ok: false, refusal: refuse('BUSY', 'too many communities are watched here', 1_000) });
    const mustWait = this.deps.link.voice.isLive && !this.state.isKnown(community) && this.waiting.length < waitingMax;
    if (!mustWait) return this.answer(replyTo, community);
    this.waiting.push({ community, replyTo, untilMs: ctx.nowMs() + answerMs });
    this.tick(ctx);
  }

  private hasRoom(user: UserId, community: string): boolean {
    if (this.state.whereIs(user)?.community === community) return true;
    const { channels } = this.state.view(community, this.deps.clock.nowMs());
    return channels.reduce((sum, [, users]) => sum + users.length, 0) < voiceUsersMax;
  }

  /** Whoever was removed somewhere is asked for their right anew, wherever they are or hear. Lost with a full mailbox or a crash: until the next time. */
  private rejudge(users: ReadonlySet<UserId>, ctx: Ctx<VoiceMessage>): void {
    const look = (session: SessionId, user: UserId, community: string): void =>
      ctx.pipe(
        voiceRight(this.deps, user, community),
        (right) => ({ type: 'voice.rejudged', session, user, community, right }),
        () => ({ type: 'voice.rejudged', session, user, community, right: 'unknown' }),
      );
    for (const { id, user } of this.sessions.values()) {
      if (users.has(user)) for (const community of this.state.watchedBy(id)) look(id, user, community);
    }
  }

  private expel(session: SessionId, user: UserId, community: string): void {
    this.unwatch(session, community);
    if (this.state.whereIs(user)?.community === community) this.leave(user);
  }

  // ---- coming and going ----

  private enter({ id, user }: VoiceSession, { community, channel }: VoiceChannel): void {
    const before = this.state.enter(user, id, { community, channel }, this.deps.clock.nowMs());
    this.deps.link.put({ session: voiceSession(user), user, place: voicePlace(community, channel) });
    if (before && before.community !== community) this.exit(user, before);
    if (before?.community !== community || before.channel !== channel) {
      this.deps.publish({ type: 'enter', userId: user, communityId: community, channelId: channel });
    }
    this.changed(community);
    if (before) this.changed(before.community);
  }

  private leave(user: UserId): VoiceChannel | undefined {
    const left = this.state.leave(user, this.deps.clock.nowMs());
    if (left) this.gone(user, left);
    return left;
  }

  private gone(user: UserId, left: VoiceChannel): void {
    this.deps.link.remove(voiceSession(user));
    this.exit(user, left);
    this.changed(left.community);
    this.release(left.community);
  }

  private exit(user: UserId, { community, channel }: VoiceChannel): void {
    const type = this.rooms.has(community) ? 'exit-room' : 'exit-community';
    this.deps.publish({ type, userId: user, communityId: community, channelId: channel });
  }

  // ---- who hears ----

  private watch(session: VoiceSession, community: string): boolean {
    if (!this.deps.link.voice.watch(community)) return false;
    this.sessions.set(session.id, session);
    const before = this.state.watchedBy(session.id);
    this.state.watch(session.id, community);
    for (const other of before) if (!this.state.watchedBy(session.id).includes(other)) this.release(other);
    return true;
  }

  private unwatch(session: SessionId, community: string): void {
    this.state.unwatch(session, community);
    this.owed.get(session)?.delete(community);
    if (this.state.watchedBy(session).length === 0) this.sessions.delete(session);
    this.release(community);
  }

  private release(community: string): void {
    if (this.state.isWanted(community)) return;
    this.deps.link.voice.unwatch(community);
    this.state.forget(community);
    this.rooms.delete(community);
  }

  private changed(community: string): void {
    this.due.add(community);
    this.nudge();
  }

  private nudge(): void {
    if (!this.isTicking) this.isTicking = tell(this.ref, { type: 'voice.due' }) === 'accepted';
  }

  // ---- telling ----

  private flush(ctx: Ctx<VoiceMessage>): void {
    const nowMs = ctx.nowMs();
    for (const { user, ...left } of this.state.expire(nowMs)) this.gone(user, left);
    this.answerWaiting(({ untilMs }) => untilMs <= nowMs);
    const due = [...this.due];
    this.due.clear();
    for (const community of due) {
      const frame = this.frameOf(community);
      for (const id of this.state.watchersOf(community)) {
        const session = this.sessions.get(id);
        if (session) this.show(session, community, frame);
      }
    }
    // What comes within the pace is told at its end. Nothing waits: the next change is told at once.
    if (due.length > 0 || this.waiting.length > 0 || this.state.isWaiting) this.tick(ctx);
  }

  private tick(ctx: Ctx<VoiceMessage>): void {
    if (this.isTicking) return;
    this.isTicking = true;
    ctx.after(voicePaceMs, { type: 'voice.due' });
  }

  private show({ id, sink }: VoiceSession, community: string, frame: Frame): void {
    if (sink.sendMinor(frame)) return;
    this.owed.set(id, (this.owed.get(id) ?? new Set()).add(community));
  }

  private frameOf(community: string): Frame {
    return this.deps.encoder.voice(this.state.view(community, this.deps.clock.nowMs()));
  }

  private answerWaiting(isDue: (waiting: Waiting) => boolean): void {
    const due = this.waiting.filter(isDue);
    if (due.length === 0) return;
    this.waiting = this.waiting.filter((each) => !due.includes(each));
    for (const { replyTo, community } of due) this.answer(replyTo, community);
  }

  private answer(replyTo: ActorRef<Answer>, community: string | undefined): void {
    const view: VoiceView | undefined = community === undefined ? undefined : this.state.view(community, this.deps.clock.nowMs());
    tell(replyTo, { ok: true, result: view ? { type: 'voice', view } : { type: 'done' } });
  }
}

/** One for each user of this node: a user is in one channel at most. No session of a client is called so. */
const voiceSession = (user: UserId): SessionId => `voice~${user}` as SessionId;

// ---- restarts and spawn ----

const voiceRestarts = { restartsMax: 10, windowMs: 10_000, backoffMs: 10, backoffMaxMs: 1_000 } as const;
export const voiceMailboxMax = 10_000;

export function spawnVoice(parent: ActorRef<never>, deps: VoiceDeps): Voice {
  return new VoiceActor(parent, deps);
}
