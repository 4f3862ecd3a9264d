/**
 * RoomLeave: when a room that has nothing to do asks its owner to let it go.
 *
 * Guarantees: a room that does not exist asks at once, another when it was idle for the idle time, or on demand.
 * Does not: end the room. The owner does, if nothing was accepted since it asked (`rooms`).
 */

export class RoomLeave {
  private readonly idleMs: number;
  private idleSinceMs: number | undefined;
  private isAsked = false;

  constructor(idleMs: number) {
    this.idleMs = idleMs;
  }

  /** The node needs the place: do not wait for the idle time. */
  ask(): void {
    this.isAsked = true;
  }

  /** true: the owner is to be asked now. It is asked again after one more idle time. */
  isDue(isIdle: boolean, exists: boolean, nowMs: number): boolean {
    if (!isIdle) {
      this.idleSinceMs = undefined;
      return false;
    }
    this.idleSinceMs ??= nowMs;
    const isDue = this.isAsked || !exists || nowMs - this.idleSinceMs >= this.idleMs;
    this.isAsked = false;
    if (isDue) this.idleSinceMs = nowMs;
    return isDue;
  }

  dueMs(): number | undefined {
    return this.idleSinceMs === undefined ? undefined : this.idleSinceMs + this.idleMs;
  }
}
