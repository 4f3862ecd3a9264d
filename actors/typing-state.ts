/**
 * TypingState: who is typing in a room. Pure. Ends by time, by a message of theirs, or with their last connection.
 */
import type { UserId } from '../system/ids.ts';

const typingMs = 6_000;
/** Shown at most; more typists than this change nothing that is sent. */
const typistsMax = 20;
/** Other nodes are told again so often while somebody goes on: well before it would end there. */
const tellAgainMs = 2_000;

/** A user may type on two nodes: where somebody stops they do not stop for the other. */
export type Where = 'here' | 'elsewhere';

interface Typing {
  readonly endMs: number;
  readonly where: Where;
  /** When other nodes were told last. */
  readonly toldMs: number;
}

export class TypingState {
  /** By user, in order of the end, since each lasts equally long. */
  private readonly typing = new Map<UserId, Typing>();

  /** Returns whether the set of users changed. */
  begin(user: UserId, nowMs: number, where: Where): boolean {
    const known = this.typing.get(user);
    if (!known && this.typing.size >= typistsMax) return false;
    this.typing.delete(user);
    this.typing.set(user, { endMs: nowMs + typingMs, where, toldMs: known?.toldMs ?? Number.NEGATIVE_INFINITY });
    return known === undefined;
  }

  /** Whether other nodes are to be told now that somebody types; then they count as told. */
  isToTell(user: UserId, nowMs: number): boolean {
    const known = this.typing.get(user);
    if (!known || nowMs < known.toldMs + tellAgainMs) return false;
    this.typing.set(user, { ...known, toldMs: nowMs });
    return true;
  }

  /** Ends it, unless it goes on somewhere else than `where`. Returns whether the set of users changed. */
  end(user: UserId, where?: Where): boolean {
    if (where !== undefined && this.typing.get(user)?.where !== where) return false;
    return this.typing.delete(user);
  }

  expire(nowMs: number): boolean {
    let hasChanged = false;
    for (const [user, { endMs }] of this.typing) {
      if (endMs > nowMs) break;
      this.typing.delete(user);
      hasChanged = true;
    }
    return hasChanged;
  }

  users(): readonly UserId[] {
    return [...this.typing.keys()];
  }

  nextEndMs(): number | undefined {
    return this.typing.values().next().value?.endMs;
  }
}
