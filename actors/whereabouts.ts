/**
 * Whereabouts: which of a room's members are not looking at it now, on whatever node.
 *
 * Owns: watches of the users who were asked about lately, so that the state server is asked once for a user and not for each message.
 * Guarantees: bounded in users and in time; whoever cannot be found out in time, or for whom there is no place, counts as absent.
 * Does not: lie on the way of a message: it is asked when a notification's turn comes.
 */
import type { Clock } from '../system/clock.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Presence } from './presence.ts';
import type { User, UserWatcher } from './user.ts';

/** Users watched for this. One who was asked about within `usedLatelyMs` is not given up for another: that one counts as absent. */
export const usersWatchedMax = 5_000;
export const usedLatelyMs = 60_000;
/** Longest wait for the state server's word. */
export const wordWaitMs = 1_000;

interface Known {
  readonly user: User;
  usedAtMs: number;
}

export class Whereabouts implements UserWatcher {
  private readonly presence: Pick<Presence, 'observe' | 'unobserve'>;
  private readonly clock: Clock;
  /** In order of use. */
  private readonly known = new Map<UserId, Known>();
  private readonly waits = new Set<{ readonly users: Set<User>; readonly done: () => void }>();

  constructor(presence: Pick<Presence, 'observe' | 'unobserve'>, clock: Clock) {
    this.presence = presence;
    this.clock = clock;
  }

  /** Those of `ids` who have no session at this room, in their order. Never rejects. */
  async absent(room: RoomId, ids: readonly UserId[]): Promise<readonly UserId[]> {
    const users = this.watch(ids);
    await this.wait(users);
    return ids.filter((id) => !users.get(id)?.shown.places.includes(room));
  }

  note(user: User): void {
    for (const wait of this.waits) {
      wait.users.delete(user);
      if (wait.users.size === 0) wait.done();
    }
  }

  private watch(ids: readonly UserId[]): Map<UserId, User> {
    const nowMs = this.clock.nowMs();
    const users = new Map<UserId, User>();
    for (const id of ids) {
      const known = this.known.get(id) ?? this.begin(id, nowMs);
      if (!known) continue;
      known.usedAtMs = nowMs;
      this.known.delete(id);
      this.known.set(id, known);
      users.set(id, known.user);
    }
    return users;
  }

  private begin(id: UserId, nowMs: number): Known | undefined {
    if (this.known.size >= usersWatchedMax) {
      const [oldest] = this.known.values();
      if (!oldest || nowMs - oldest.usedAtMs < usedLatelyMs) return undefined;
      this.known.delete(oldest.user.id);
      this.presence.unobserve(this, oldest.user);
    }
    const user = this.presence.observe(this, id);
    return user && { user, usedAtMs: nowMs };
  }

  private wait(users: ReadonlyMap<UserId, User>): Promise<void> {
    const awaited = new Set([...users.values()].filter((user) => user.isAwaited));
    if (awaited.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wait = {
        users: awaited,
        done: () => {
          this.waits.delete(wait);
          cancel();
          resolve();
        },
      };
      const cancel = this.clock.after(wordWaitMs, () => wait.done());
      this.waits.add(wait);
    });
  }
}
