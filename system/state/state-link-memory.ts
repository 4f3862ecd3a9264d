/**
 * StateLink in memory: a hub that the links of several nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: the listener is called in a later microtask, never inside a method of the link; changes of one turn arrive
 * together, the last state of a user only. `stop` and `start` of the hub are the state server going away and coming back.
 * Does not: give a link that was closed without a goodbye any grace; its sessions end at once.
 */
import type { SessionId, UserId } from '../ids.ts';
import {
  type LinkState,
  type LiveSession,
  type StateLink,
  type StateLinkListener,
  type UserStateRow,
  type VoiceLink,
  type VoiceListener,
  type VoiceRow,
  voicePlaceOf,
  voiceWatchedMax,
  watchedMax,
} from './state-link.ts';

export interface MemoryStateHub {
  /** A link of one node; `node` names it in descriptions. Two joins are two nodes, whatever their names. */
  join(node: string): StateLink;
  /** Every link is not live from the next microtask on. Idempotent. */
  stop(why: string): void;
  /** Every link is live again from the next microtask on. Idempotent. */
  start(): void;
}

export function createMemoryStateHub(): MemoryStateHub {
  return new MemoryHub();
}

class MemoryHub implements MemoryStateHub {
  readonly links = new Set<MemoryStateLink>();
  isUp = true;
  why = 'the hub is up';

  join(node: string): StateLink {
    const link = new MemoryStateLink(this, node);
    this.links.add(link);
    return link;
  }

  stop(why: string): void {
    this.isUp = false;
    this.why = why;
    for (const link of this.links) link.schedule();
  }

  start(): void {
    this.isUp = true;
    this.why = 'the hub is up';
    for (const link of this.links) link.schedule();
  }

  /** Whoever watches the user is told in its next flush. */
  changed(user: UserId): void {
    for (const link of this.links) link.changed(user);
  }

  /** Whoever watches the community is told in its next flush. */
  voiceChanged(place: string): void {
    const at = voicePlaceOf(place);
    if (at) for (const link of this.links) link.voiceChanged(at.community);
  }

  voiceOf(community: string): VoiceRow {
    const channels = new Map<string, UserId[]>();
    for (const link of this.links) {
      for (const { user, place } of link.liveSessions()) {
        const at = voicePlaceOf(place);
        if (at?.community !== community) continue;
        const users = channels.get(at.channel) ?? [];
        if (!users.includes(user)) channels.set(at.channel, [...users, user]);
      }
    }
    return { community, channels, whole: true };
  }

  stateOf(user: UserId): UserStateRow {
    const places = new Set<string>();
    for (const link of this.links) for (const place of link.placesOf(user)) places.add(place);
    return { user, state: places.size > 0 ? 'online' : 'offline', places: [...places].sort() };
  }
}

class MemoryStateLink implements StateLink {
  readonly description: string;
  private readonly hub: MemoryHub;
  private readonly sessions = new Map<SessionId, LiveSession>();
  private readonly sessionsOf = new Map<UserId, Map<SessionId, string>>();
  private readonly watched = new Set<UserId>();
  private readonly due = new Set<UserId>();
  private readonly voices = new Set<string>();
  private readonly dueVoices = new Set<string>();
  private voiceListener: VoiceListener | undefined;
  private listener: StateLinkListener | undefined;
  private current: LinkState = 'connecting';
  private isScheduled = false;

  constructor(hub: MemoryHub, node: string) {
    this.hub = hub;
    this.description = `in this process (${node})`;
    this.schedule();
  }

  readonly voice: VoiceLink = this.voiceLink();

  private voiceLink(): VoiceLink {
    const isLive = (): boolean => this.current === 'live';
    return {
      get isLive() {
        return isLive();
      },
      listen: (listener) => {
        this.voiceListener = listener;
        for (const community of this.voices) this.voiceChanged(community);
      },
      watch: (community) => {
        if (this.voices.has(community)) return true;
        if (this.current === 'draining' || this.voices.size >= voiceWatchedMax) return false;
        this.voices.add(community);
        this.voiceChanged(community);
        return true;
      },
      unwatch: (community) => {
        this.voices.delete(community);
        this.dueVoices.delete(community);
      },
    };
  }

  get state(): LinkState {
    return this.current;
  }

  listen(listener: StateLinkListener): void {
    this.listener = listener;
    for (const user of this.watched) this.changed(user);
  }

  put(session: LiveSession): void {
    if (this.current === 'draining') return;
    const known = this.sessions.get(session.session);
    if (known?.user === session.user && known.place === session.place) return;
    this.forget(known);
    this.sessions.set(session.session, session);
    const own = this.sessionsOf.get(session.user) ?? new Map<SessionId, string>();
    this.sessionsOf.set(session.user, own.set(session.session, session.place));
    if (known && known.user !== session.user) this.hub.changed(known.user);
    this.hub.changed(session.user);
    this.hub.voiceChanged(session.place);
    if (known) this.hub.voiceChanged(known.place);
  }

  remove(session: SessionId): void {
    const known = this.sessions.get(session);
    if (!known) return;
    this.forget(known);
    this.hub.changed(known.user);
    this.hub.voiceChanged(known.place);
  }

  watch(user: UserId): boolean {
    if (this.watched.has(user)) return true;
    if (this.current === 'draining' || this.watched.size >= watchedMax) return false;
    this.watched.add(user);
    this.changed(user);
    return true;
  }

  unwatch(user: UserId): void {
    this.watched.delete(user);
    this.due.delete(user);
  }

  counts(): { sessions: number; watched: number; waiting: number } {
    const [sessions, watched] = [this.sessions.size, this.watched.size];
    return { sessions, watched, waiting: this.current === 'live' ? 0 : sessions + watched };
  }

  async drain(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    if (this.current === 'draining') return;
    this.current = 'draining';
    this.hub.links.delete(this);
    const places = [...this.sessions.values()].map(({ place }) => place);
    for (const user of this.sessionsOf.keys()) this.hub.changed(user);
    this.sessions.clear();
    for (const place of places) this.hub.voiceChanged(place);
    this.voices.clear();
    this.dueVoices.clear();
    this.sessionsOf.clear();
    this.watched.clear();
    this.due.clear();
  }

  // ---- for the hub ----

  placesOf(user: UserId): Iterable<string> {
    return this.sessionsOf.get(user)?.values() ?? [];
  }

  liveSessions(): Iterable<LiveSession> {
    return this.sessions.values();
  }

  voiceChanged(community: string): void {
    if (!this.voices.has(community)) return;
    this.dueVoices.add(community);
    this.schedule();
  }

  changed(user: UserId): void {
    if (!this.watched.has(user)) return;
    this.due.add(user);
    this.schedule();
  }

  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    if (this.current === 'draining') return;
    const isLive = this.current === 'live';
    if (isLive !== this.hub.isUp) {
      this.current = this.hub.isUp ? 'live' : 'connecting';
      for (const user of this.watched) this.due.add(user);
      for (const community of this.voices) this.dueVoices.add(community);
      this.listener?.onLive(this.hub.isUp, this.hub.why);
      if (!this.hub.isUp) this.voiceListener?.onUnknown();
    }
    if (this.current !== 'live') return;
    const voices = [...this.dueVoices].map((community) => this.hub.voiceOf(community));
    this.dueVoices.clear();
    for (const row of voices) this.voiceListener?.onVoice(row);
    if (this.due.size === 0) return;
    const states = [...this.due].map((user) => this.hub.stateOf(user));
    this.due.clear();
    this.listener?.onStates(states);
  }

  private forget(session: LiveSession | undefined): void {
    if (!session) return;
    this.sessions.delete(session.session);
    const own = this.sessionsOf.get(session.user);
    own?.delete(session.session);
    if (own?.size === 0) this.sessionsOf.delete(session.user);
  }
}
