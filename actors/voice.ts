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
import type { Frame, FrameEncoder } from './client-sink.ts';
import type { Departure } from './user-state.ts';
import { VoiceAnswers } from './voice-answers.ts';
import { VoiceAudience, type VoiceSession } from './voice-audience.ts';
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
/** Rights being looked up at once. More: BUSY. */
export const voiceRightsMax = 64;
/** People in all voice channels of a community. More: BUSY. It bounds the event, too. */
export const voiceUsersMax = 1_000;

interface Asked {
  readonly session: VoiceSession;
  readonly ask: VoiceAsk;
  readonly replyTo: ActorRef<Answer>;
  /** Of the session's last question. */
  readonly serial: number;
}
const noRight = refuse('NOT_FOUND', 'no such community');

// ---- behaviour ----

class VoiceActor implements Voice {
  readonly ref: ActorRef<VoiceMessage>;
  private readonly deps: VoiceDeps;
  private readonly state = new VoiceState();
  private readonly audience: VoiceAudience;
  private readonly answers: VoiceAnswers;
  /** The last question of each session that is being judged. */
  private readonly asking = new Map<SessionId, number>();
  private judging = 0;
  private serial = 0;
  private isTicking = false;

  constructor(parent: ActorRef<never>, deps: VoiceDeps) {
    this.deps = deps;
    const viewOf = (community: string): VoiceView => this.state.view(community, deps.clock.nowMs());
    const frameOf = (community: string): Frame => deps.encoder.voice(viewOf(community));
    this.answers = new VoiceAnswers(viewOf);
    this.audience = new VoiceAudience({ state: this.state, link: deps.link.voice, frameOf });
    const behaviour = { kind: 'voice', start: this.start, receive: this.receive, stopped: this.stopped };
    this.ref = spawn<VoiceActor, VoiceMessage>(parent, behaviour, { name: 'voice', mailboxMax: voiceMailboxMax, restarts: voiceRestarts });
    deps.link.voice.listen({
      onVoice: (row) => {
        if (!this.state.isWanted(row.community)) return;
        this.state.hear(row);
        this.answers.known(row.community);
        this.changed(row.community);
      },
      onUnknown: () => {
        const communities = this.state.unknown();
        this.answers.unknown();
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

  /** Nobody will say any more who has come back elsewhere. */
  private readonly stopped = (_state: unknown, reason: 'stopped' | 'crashed'): void => {
    if (reason === 'stopped') this.exitLost(Number.POSITIVE_INFINITY);
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
      return this.answers.give(replyTo, left?.community);
    }
    if (ask.type === 'voice.enter') this.asking.set(session.id, this.serial);
    if (tell(this.ref, { type: 'voice.ask', asked }) === 'accepted') return;
    this.asking.delete(session.id);
    tell(replyTo, { ok: false, refusal: refuse('BUSY', 'too many ask about voice channels', 250) });
  }

  sinkReady(id: SessionId): void {
    this.audience.sinkReady(id);
  }

  ended(id: SessionId, user: UserId, how: Departure): void {
    this.asking.delete(id);
    this.audience.ended(id);
    const left = this.state.ended(user, id, how, this.deps.clock.nowMs());
    if (left) this.left(user, left);
    else if (this.state.isWaiting) this.nudge();
  }

  onMembership(entries: readonly Entry[]): void {
    const users = new Set(entries.flatMap(({ member }) => (member?.change === 'kicked' || member?.change === 'left' ? [member.user] : [])));
    if (users.size > 0 && (this.state.here > 0 || this.audience.size > 0)) tell(this.ref, { type: 'voice.rejudge', users });
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
    if (right === 'room') this.state.knowAsRoom(community);
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
    if (!this.audience.add(session, community))
      return void tell(replyTo, { ok: false, refusal: refuse('BUSY', 'too many communities are watched here', 1_000) });
    const mustWait = this.deps.link.voice.isLive && !this.state.isKnown(community);
    if (mustWait && this.answers.giveLater(replyTo, community, ctx.nowMs())) this.tick(ctx);
    else this.answers.give(replyTo, community);
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
    for (const [{ id, user }, community] of this.audience.hearing(users)) look(id, user, community);
  }

  private expel(session: SessionId, user: UserId, community: string): void {
    this.audience.remove(session, community);
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
    if (left) this.left(user, left);
    return left;
  }

  /** By their own word, or because they may be there no longer. */
  private left(user: UserId, left: VoiceChannel): void {
    this.exit(user, left);
    this.gone(user, left);
  }

  private gone(user: UserId, { community }: VoiceChannel): void {
    this.deps.link.remove(voiceSession(user));
    this.changed(community);
    this.audience.release(community);
  }

  private exit(user: UserId, { community, channel }: VoiceChannel): void {
    const type = this.state.isKnownAsRoom(community) ? 'exit-room' : 'exit-community';
    this.deps.publish({ type, userId: user, communityId: community, channelId: channel });
  }

  /** Of those who were lost, who is in the community from nowhere else by now. */
  private exitLost(nowMs: number): void {
    const exits = this.state.exited(nowMs);
    for (const { user, ...left } of exits.gone) this.exit(user, left);
    for (const community of exits.communities) this.audience.release(community);
  }

  private changed(community: string): void {
    this.audience.changed(community);
    this.nudge();
  }

  private nudge(): void {
    if (!this.isTicking) this.isTicking = tell(this.ref, { type: 'voice.due' }) === 'accepted';
  }

  // ---- telling ----

  private flush(ctx: Ctx<VoiceMessage>): void {
    const nowMs = ctx.nowMs();
    for (const { user, ...left } of this.state.expire(nowMs)) this.gone(user, left);
    this.exitLost(nowMs);
    this.answers.expire(nowMs);
    const hasTold = this.audience.tell();
    // What comes within the pace is told at its end. Nothing waits: the next change is told at once.
    if (hasTold || this.answers.isWaiting || this.state.isWaiting) this.tick(ctx);
  }

  private tick(ctx: Ctx<VoiceMessage>): void {
    if (this.isTicking) return;
    this.isTicking = true;
    ctx.after(voicePaceMs, { type: 'voice.due' });
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
