/**
 * StoreLog: the replicated log of one room as the store's current primary has it: documents in order of insertion, a
 * commit index, two unique indexes. A fail-over may take away what is not committed.
 *
 * Knows nothing of batches, time or faults. It does not forbid holes: that is the protocol's task (a plain collection
 * with a unique index would not forbid them either).
 */
import type { Entry } from '../../system/store/entry.ts';

export interface Doc {
  readonly entry: Entry;
  readonly position: number;
  isCommitted: boolean;
  isTruncated: boolean;
  /** Somebody lost against it before it was committed. */
  isWinner: boolean;
}

const idOf = (by: string, cid: string): string => `${by}\n${cid}`;

export class StoreLog {
  readonly docs: Doc[] = [];
  commitCount = 0;
  /** Highest committed seq. */
  headSeq = 0;
  private readonly bySeq = new Map<number, Doc>();
  private readonly byId = new Map<string, Doc>();
  private readonly scrubbedTargets = new Set<number>();

  holder(entry: Entry, hasIdIndex: boolean): Doc | undefined {
    return this.bySeq.get(entry.seq) ?? (hasIdIndex ? this.byId.get(idOf(entry.by, entry.cid)) : undefined);
  }

  insert(entry: Entry): Doc {
    const doc: Doc = { entry, position: this.docs.length, isCommitted: false, isTruncated: false, isWinner: false };
    this.docs.push(doc);
    this.bySeq.set(entry.seq, doc);
    if (!this.byId.has(idOf(entry.by, entry.cid))) this.byId.set(idOf(entry.by, entry.cid), doc);
    return doc;
  }

  /** Commits everything up to and including this document. Returns what became committed. */
  commit(upTo: Doc): Doc[] {
    const fresh = this.docs.slice(this.commitCount, upTo.position + 1);
    this.commitCount = Math.max(this.commitCount, upTo.position + 1);
    for (const doc of fresh) {
      doc.isCommitted = true;
      this.headSeq = Math.max(this.headSeq, doc.entry.seq);
      if (doc.entry.kind === 'delete' && doc.entry.target !== undefined) this.scrubbedTargets.add(doc.entry.target);
    }
    return fresh;
  }

  /** Keeps the first `count` documents, never fewer than are committed. Returns what was lost. */
  truncate(count: number): Doc[] {
    const lost = this.docs.splice(Math.max(count, this.commitCount));
    for (const doc of lost) {
      doc.isTruncated = true;
      if (this.bySeq.get(doc.entry.seq) === doc) this.bySeq.delete(doc.entry.seq);
      const id = idOf(doc.entry.by, doc.entry.cid);
      if (this.byId.get(id) === doc) this.byId.delete(id);
    }
    return lost;
  }

  // ---- committed reads ----

  at(seq: number): Entry | undefined {
    const doc = this.bySeq.get(seq);
    return doc?.isCommitted ? this.shown(doc.entry) : undefined;
  }

  /** Contiguous committed entries after a seq. */
  after(seq: number, limit: number): Entry[] {
    const entries: Entry[] = [];
    for (let next = seq + 1; entries.length < limit; next += 1) {
      const entry = this.at(next);
      if (!entry) break;
      entries.push(entry);
    }
    return entries;
  }

  stored(by: string, cid: string): Entry | undefined {
    const doc = this.byId.get(idOf(by, cid));
    return doc?.isCommitted ? this.shown(doc.entry) : undefined;
  }

  committed(): Entry[] {
    return this.docs.slice(0, this.commitCount).map((doc) => this.shown(doc.entry));
  }

  isDeleted(seq: number): boolean {
    return this.scrubbedTargets.has(seq);
  }

  private shown(entry: Entry): Entry {
    const isScrubbed = this.scrubbedTargets.has(entry.seq) || (entry.kind === 'modify' && this.scrubbedTargets.has(entry.target ?? -1));
    if (!isScrubbed || entry.text === undefined) return entry;
    const { text: _gone, ...rest } = entry;
    return { ...rest, scrubbed: true };
  }
}
