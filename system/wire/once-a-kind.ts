/**
 * OnceAKind: whether something is said for the first time. For log lines whose number comes from outside.
 */

/** Kinds remembered; further ones are said no more. */
const kindsMax = 64;

export class OnceAKind {
  private readonly seen = new Set<string>();

  isFirst(kind: string): boolean {
    if (this.seen.has(kind) || this.seen.size >= kindsMax) return false;
    this.seen.add(kind);
    return true;
  }
}
