/**
 * TypingState: who is typing in a room. Pure. Ends by time, by a message of theirs, or with their last connection.
 */
import type { UserId } from '../system/ids.ts';

const typingMs = 6_000;
/** Shown at most; more typists than this change nothing that is sent. */
const typistsMax = 20;

export class TypingState {
  /** By user: when it ends. In order of the end, since each lasts equally long. */
  private readonly endsMs = new Map<UserId, number>();

  /** Returns whether the set of users changed. */
  begin(user: UserId, nowMs: number): boolean {
    const isNew = !this.endsMs.has(user);
    if (isNew && this.endsMs.size >= typistsMax) return false;
    this.endsMs.delete(user);
    this.endsMs.set(user, nowMs + typingMs);
    return isNew;
  }

  end(user: UserId): boolean {
    return this.endsMs.delete(user);
  }

  expire(nowMs: number): boolean {
    let hasChanged = false;
    for (const [user, endMs] of this.endsMs) {
      if (endMs > nowMs) break;
      this.endsMs.delete(user);
      hasChanged = true;
    }
    return hasChanged;
  }

  users(): readonly UserId[] {
    return [...this.endsMs.keys()];
  }

  nextEndMs(): number | undefined {
    return this.endsMs.values().next().value;
  }
}
