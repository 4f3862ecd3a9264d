/**
 * Pool: the bound on sockets of this process. Who needs one and finds none takes that of whoever needed theirs least recently.
 *
 * Guarantees: at most `socketsMax` at once; nobody who is busy loses theirs; waiting is first come, first served.
 */
export interface Occupant {
  readonly isBusy: boolean;
  /** Gives the socket up at once; it is not called again until the occupant enters anew. */
  evict(): void;
}

export class Pool {
  private readonly socketsMax: number;
  /** In order of last need. */
  private readonly inside = new Set<Occupant>();
  private readonly waiting: { readonly occupant: Occupant; readonly admit: () => void }[] = [];

  constructor(socketsMax: number) {
    this.socketsMax = socketsMax;
  }

  get size(): number {
    return this.inside.size;
  }

  async enter(occupant: Occupant): Promise<void> {
    if (this.inside.delete(occupant) || this.hasRoom()) {
      this.inside.add(occupant);
      return;
    }
    await new Promise<void>((admit) => this.waiting.push({ occupant, admit }));
  }

  leave(occupant: Occupant): void {
    if (this.inside.delete(occupant)) this.admitNext();
  }

  /** Somebody is busy no more: their socket may be taken. */
  idled(): void {
    if (this.waiting.length > 0) this.admitNext();
  }

  private hasRoom(): boolean {
    if (this.inside.size < this.socketsMax) return true;
    for (const occupant of this.inside) {
      if (occupant.isBusy) continue;
      this.inside.delete(occupant);
      occupant.evict();
      return true;
    }
    return false;
  }

  private admitNext(): void {
    while (this.waiting.length > 0 && this.hasRoom()) {
      const next = this.waiting.shift();
      if (!next) return;
      this.inside.add(next.occupant);
      next.admit();
    }
  }
}
