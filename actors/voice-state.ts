/**
 * VoiceState: who of this node is in which voice channel, what the state server said of the others, and which sessions want to hear. Pure.
 *
 * Guarantees: a user of this node is in one channel at most, where they went last, whatever the server's last word was; a view says
 * whether it is complete: it is not while nothing is known of other nodes. Every collection is bounded by sessions and by what they watch.
 * Does not: know who may enter, or tell.
 */
import type { SessionId, UserId } from '../system/ids.ts';
import type { VoiceRow } from '../system/state/state-link.ts';
import type { Departure } from './user-state.ts';
import { type VoiceExit, VoiceExits } from './voice-exits-state.ts';

export interface VoiceChannel {
  readonly community: string;
  readonly channel: string;
}

/** What a client asks. */
export type VoiceAsk =
  | ({ readonly type: 'voice.enter' } & VoiceChannel)
  | { readonly type: 'voice.leave' }
  | { readonly type: 'voice.list'; readonly community: string };

export interface VoiceView {
  readonly community: string;
  readonly channels: readonly (readonly [channel: string, users: readonly UserId[]])[];
  /** false: nothing, or not all, is known of other nodes at the moment. */
  readonly complete: boolean;
}

interface Stay extends VoiceChannel {
  readonly session: SessionId;
  /** Their connection is lost; they are here until then, unless they come back. */
  endsMs: number | undefined;
}

/** As long as a lost session counts as present. */
export const voiceLingerMs = 3_000;
/** The state server's word on somebody who left may come so much later. */
const lateMs = 2_000;
/** Communities one session hears of; the one it asked for first gives way. */
export const voiceWatchedPerSessionMax = 8;

export class VoiceState {
  private readonly stays = new Map<UserId, Stay>();
  private readonly hereOf = new Map<string, Set<UserId>>();
  /** Left a moment ago, each until then; the oldest first. */
  private readonly left = new Map<UserId, VoiceChannel & { readonly untilMs: number }>();
  private readonly exits = new VoiceExits();
  /** Communities that are rooms without one, by their names. */
  private readonly rooms = new Set<string>();
  private readonly known = new Map<string, VoiceRow>();
  private readonly watchers = new Map<string, Set<SessionId>>();
  private readonly watching = new Map<SessionId, Set<string>>();

  // ---- people of this node ----

  get here(): number {
    return this.stays.size;
  }

  whereIs(user: UserId): VoiceChannel | undefined {
    return this.stays.get(user);
  }

  /** Answers where they were. */
  enter(user: UserId, session: SessionId, { community, channel }: VoiceChannel, nowMs: number): VoiceChannel | undefined {
    const before = this.remove(user, nowMs);
    this.left.delete(user);
    if (before) this.left.set(user, { ...before, untilMs: nowMs + lateMs });
    this.stays.set(user, { session, community, channel, endsMs: undefined });
    this.hereOf.set(community, (this.hereOf.get(community) ?? new Set()).add(user));
    return before;
  }

  /** Answers where they were. */
  leave(user: UserId, nowMs: number): VoiceChannel | undefined {
    return this.remove(user, nowMs);
  }

  /** The session has ended: the user goes with it, at once when it said so, else a little later. Answers where they were, if they went. */
  ended(user: UserId, session: SessionId, how: Departure, nowMs: number): VoiceChannel | undefined {
    const stay = this.stays.get(user);
    if (stay?.session !== session) return undefined;
    if (how !== 'lost') return this.remove(user, nowMs);
    stay.endsMs = nowMs + voiceLingerMs;
    return undefined;
  }

  /** Those whose time is over are gone; whether from the community, `exited` says later. */
  expire(nowMs: number): readonly (VoiceChannel & { readonly user: UserId })[] {
    const gone: (VoiceChannel & { readonly user: UserId })[] = [];
    for (const [user, { community, channel, endsMs }] of this.stays) {
      if (endsMs === undefined || endsMs > nowMs) continue;
      this.remove(user, nowMs);
      gone.push({ user, community, channel });
      this.exits.add({ user, community, channel }, nowMs);
    }
    for (const [user, { untilMs }] of this.left) if (untilMs <= nowMs) this.left.delete(user);
    return gone;
  }

  /** Those of the gone who have not come back by then, here or on another node, each once; and the communities of all whose time it was. */
  exited(nowMs: number): { readonly gone: readonly VoiceExit[]; readonly communities: ReadonlySet<string> } {
    const due = this.exits.takeDue(nowMs);
    return {
      gone: due.filter(({ user, community }) => !this.isIn(user, community)),
      communities: new Set(due.map(({ community }) => community)),
    };
  }

  private isIn(user: UserId, community: string): boolean {
    if (this.stays.get(user)?.community === community) return true;
    for (const users of this.known.get(community)?.channels.values() ?? []) if (users.includes(user)) return true;
    return false;
  }

  /** Something ends by itself. */
  get isWaiting(): boolean {
    if (this.left.size > 0 || !this.exits.isEmpty) return true;
    for (const { endsMs } of this.stays.values()) if (endsMs !== undefined) return true;
    return false;
  }

  private remove(user: UserId, nowMs: number): VoiceChannel | undefined {
    const stay = this.stays.get(user);
    if (!stay) return undefined;
    const { community, channel } = stay;
    this.stays.delete(user);
    const here = this.hereOf.get(community);
    here?.delete(user);
    if (here?.size === 0) this.hereOf.delete(community);
    this.left.delete(user);
    this.left.set(user, { community, channel, untilMs: nowMs + lateMs });
    return { community, channel };
  }

  // ---- what a community is ----

  isKnownAsRoom(community: string): boolean {
    return this.rooms.has(community);
  }

  knowAsRoom(community: string): void {
    this.rooms.add(community);
  }

  // ---- people elsewhere ----

  hear(row: VoiceRow): void {
    this.known.set(row.community, row);
  }

  /** Nothing is known of other nodes any more. Names the communities that look otherwise now. */
  unknown(): readonly string[] {
    this.known.clear();
    return [...new Set([...this.watchers.keys(), ...this.hereOf.keys()])];
  }

  isKnown(community: string): boolean {
    return this.known.has(community);
  }

  view(community: string, nowMs: number): VoiceView {
    const channels = new Map<string, Set<UserId>>();
    const row = this.known.get(community);
    const add = (channel: string, user: UserId): void => void channels.set(channel, (channels.get(channel) ?? new Set()).add(user));
    for (const [channel, users] of row?.channels ?? []) {
      for (const user of users) if (!this.stays.has(user) && !this.hasJustLeft(user, community, channel, nowMs)) add(channel, user);
    }
    for (const user of this.hereOf.get(community) ?? []) add(this.stays.get(user)?.channel ?? '', user);
    const sorted = [...channels].sort(([a], [b]) => (a < b ? -1 : 1)).map(([channel, users]) => [channel, [...users].sort()] as const);
    return { community, channels: sorted, complete: row?.whole ?? false };
  }

  private hasJustLeft(user: UserId, community: string, channel: string, nowMs: number): boolean {
    const left = this.left.get(user);
    return left !== undefined && left.untilMs > nowMs && left.community === community && left.channel === channel;
  }

  // ---- who hears ----

  watch(session: SessionId, community: string): void {
    const watching = this.watching.get(session) ?? new Set();
    this.watching.set(session, watching);
    watching.delete(community);
    watching.add(community);
    this.watchers.set(community, (this.watchers.get(community) ?? new Set()).add(session));
    const [first] = watching;
    if (watching.size > voiceWatchedPerSessionMax && first !== undefined) this.unwatch(session, first);
  }

  unwatch(session: SessionId, community: string): void {
    const watching = this.watching.get(session);
    watching?.delete(community);
    if (watching?.size === 0) this.watching.delete(session);
    const watchers = this.watchers.get(community);
    watchers?.delete(session);
    if (watchers?.size === 0) this.watchers.delete(community);
  }

  watchedBy(session: SessionId): readonly string[] {
    return [...(this.watching.get(session) ?? [])];
  }

  watchersOf(community: string): Iterable<SessionId> {
    return this.watchers.get(community) ?? [];
  }

  /** Somebody hears of it, is in it from here, or was a moment ago: the state server is to tell of it. */
  isWanted(community: string): boolean {
    return this.watchers.has(community) || this.hereOf.has(community) || this.exits.has(community);
  }

  forget(community: string): void {
    this.known.delete(community);
    this.rooms.delete(community);
  }

  get watched(): number {
    return this.watchers.size;
  }
}
