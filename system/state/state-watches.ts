/**
 * StateWatches: which connected life of a node wants to hear of which users. Pure.
 *
 * A watch lives as long as the connection: whoever comes back names what it watches again.
 */
export interface WatchLimits {
  /** Of one life. */
  readonly watchedMax: number;
  /** Of all together. */
  readonly watchesMax: number;
}

const nobody: ReadonlySet<string> = new Set();

export class StateWatches {
  readonly #limits: WatchLimits;
  readonly #byLife = new Map<string, Set<string>>();
  readonly #byUser = new Map<string, Set<string>>();
  #count = 0;

  constructor(limits: WatchLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  watchedBy(life: string): ReadonlySet<string> {
    return this.#byLife.get(life) ?? nobody;
  }

  /** The lives that watch the user. */
  watchersOf(user: string): ReadonlySet<string> {
    return this.#byUser.get(user) ?? nobody;
  }

  /** False: there would be too many, and nothing has changed. */
  add(life: string, users: Iterable<string>): boolean {
    const watched = this.#byLife.get(life) ?? new Set<string>();
    const added = [...new Set(users)].filter((user) => !watched.has(user));
    if (watched.size + added.length > this.#limits.watchedMax || this.#count + added.length > this.#limits.watchesMax) return false;
    if (added.length > 0) this.#byLife.set(life, watched);
    for (const user of added) {
      watched.add(user);
      const watchers = this.#byUser.get(user);
      if (watchers === undefined) this.#byUser.set(user, new Set([life]));
      else watchers.add(life);
    }
    this.#count += added.length;
    return true;
  }

  /** Unknown ones change nothing. */
  remove(life: string, users: Iterable<string>): void {
    const watched = this.#byLife.get(life);
    if (watched === undefined) return;
    for (const user of users) {
      if (!watched.delete(user)) continue;
      this.#count -= 1;
      const watchers = this.#byUser.get(user);
      watchers?.delete(life);
      if (watchers?.size === 0) this.#byUser.delete(user);
    }
    if (watched.size === 0) this.#byLife.delete(life);
  }

  clear(life: string): void {
    this.remove(life, [...this.watchedBy(life)]);
  }
}
