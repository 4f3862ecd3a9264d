/**
 * VoiceExits: users whose lost connection has ended their stay in a voice channel, until it is clear whether they are gone. Pure.
 *
 * They may be in the same community from another node by then: a client that loses one node goes on with the next. Guarantees: each is taken
 * once, when the state server has had the time to say so. Does not: know what it said.
 */
import type { UserId } from '../system/ids.ts';

/** The word of a stay's end to the state server, and its word on the community back, take less. */
export const voiceExitMs = 2_000;

export interface VoiceExit {
  readonly user: UserId;
  readonly community: string;
  readonly channel: string;
}

export class VoiceExits {
  /** community → user → the channel that was left, and when it is due; the oldest first. At most as many as were here. */
  private readonly waiting = new Map<string, Map<UserId, { readonly channel: string; readonly dueMs: number }>>();

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  /** Somebody's is waited for: the community is to be known until then. */
  has(community: string): boolean {
    return this.waiting.has(community);
  }

  add({ user, community, channel }: VoiceExit, nowMs: number): void {
    const users = this.waiting.get(community) ?? new Map();
    this.waiting.set(community, users);
    users.delete(user);
    users.set(user, { channel, dueMs: nowMs + voiceExitMs });
  }

  takeDue(nowMs: number): readonly VoiceExit[] {
    const due: VoiceExit[] = [];
    for (const [community, users] of this.waiting) {
      for (const [user, { channel, dueMs }] of users) {
        if (dueMs > nowMs) break;
        users.delete(user);
        due.push({ user, community, channel });
      }
      if (users.size === 0) this.waiting.delete(community);
    }
    return due;
  }
}
