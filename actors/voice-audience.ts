/**
 * VoiceAudience: the sessions of this node that hear of communities' voice channels, and what they are told.
 *
 * Guarantees: a community that changed is told once for each `tell`, as it is then, to all who hear of it; a connection without room is told
 * when it has some; the state server is asked for no community longer than somebody here wants it. Does not: know the time.
 */
import type { SessionId, UserId } from '../system/ids.ts';
import type { VoiceLink } from '../system/state/state-link.ts';
import type { ClientSink, Frame } from './client-sink.ts';
import type { VoiceState } from './voice-state.ts';

/** A session's end of it. */
export interface VoiceSession {
  readonly id: SessionId;
  readonly user: UserId;
  readonly sink: Pick<ClientSink, 'sendMinor'>;
}

export interface VoiceAudienceDeps {
  readonly state: VoiceState;
  readonly link: Pick<VoiceLink, 'watch' | 'unwatch'>;
  readonly frameOf: (community: string) => Frame;
}

export class VoiceAudience {
  private readonly deps: VoiceAudienceDeps;
  private readonly sessions = new Map<SessionId, VoiceSession>();
  /** Communities that changed. */
  private readonly due = new Set<string>();
  /** What had no room. */
  private readonly owed = new Map<SessionId, Set<string>>();

  constructor(deps: VoiceAudienceDeps) {
    this.deps = deps;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** Sessions of these users, with each community they hear of. */
  *hearing(users: ReadonlySet<UserId>): Iterable<readonly [VoiceSession, string]> {
    for (const session of this.sessions.values()) {
      if (users.has(session.user)) for (const community of this.deps.state.watchedBy(session.id)) yield [session, community];
    }
  }

  /** false: too many communities are watched here. */
  add(session: VoiceSession, community: string): boolean {
    const { state, link } = this.deps;
    if (!link.watch(community)) return false;
    this.sessions.set(session.id, session);
    const before = state.watchedBy(session.id);
    state.watch(session.id, community);
    for (const other of before) if (!state.watchedBy(session.id).includes(other)) this.release(other);
    return true;
  }

  remove(session: SessionId, community: string): void {
    const { state } = this.deps;
    state.unwatch(session, community);
    this.owed.get(session)?.delete(community);
    if (state.watchedBy(session).length === 0) this.sessions.delete(session);
    this.release(community);
  }

  ended(session: SessionId): void {
    for (const community of this.deps.state.watchedBy(session)) this.remove(session, community);
    this.sessions.delete(session);
    this.owed.delete(session);
  }

  /** Where nobody here wants to know of it any more. */
  release(community: string): void {
    const { state, link } = this.deps;
    if (state.isWanted(community)) return;
    link.unwatch(community);
    state.forget(community);
  }

  sinkReady(id: SessionId): void {
    const owed = this.owed.get(id);
    const session = this.sessions.get(id);
    this.owed.delete(id);
    if (session) for (const community of owed ?? []) this.show(session, community, this.deps.frameOf(community));
  }

  changed(community: string): void {
    this.due.add(community);
  }

  /** Of what has changed since. false: nothing had. */
  tell(): boolean {
    const due = [...this.due];
    this.due.clear();
    for (const community of due) {
      const frame = this.deps.frameOf(community);
      for (const id of this.deps.state.watchersOf(community)) {
        const session = this.sessions.get(id);
        if (session) this.show(session, community, frame);
      }
    }
    return due.length > 0;
  }

  private show({ id, sink }: VoiceSession, community: string, frame: Frame): void {
    if (sink.sendMinor(frame)) return;
    this.owed.set(id, (this.owed.get(id) ?? new Set()).add(community));
  }
}
