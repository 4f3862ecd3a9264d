/**
 * Entries for tests: short makers, and a writer that numbers as a room actor does.
 */
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import { type Entry, type EntryKind, type Head, headAfter, isMessage } from '../../system/store/entry.ts';

export const room = (id: string): RoomId => id as RoomId;
export const user = (id: string): UserId => id as UserId;
export const cid = (id: string): Cid => id as Cid;

export type Draft = Partial<Omit<Entry, 'seq' | 'n' | 'by' | 'cid'>> & {
  readonly kind?: EntryKind;
  readonly by?: string;
  readonly cid?: string;
};

let serial = 0;

/** The entry that follows `head`. A draft without a cid gets one of its own. */
export function entryAfter(head: Pick<Head, 'seq' | 'n'>, draft: Draft = {}): Entry {
  serial += 1;
  const { kind = 'message', by = 'ada', cid: id = `c-${serial}`, ...rest } = draft;
  const text = kind === 'message' || kind === 'reply' || kind === 'file' || kind === 'modify' ? { text: `text ${serial}` } : {};
  return {
    ...text,
    at: 1_700_000_000_000 + serial,
    writer: 'node-1.life',
    ...rest,
    seq: head.seq + 1,
    n: head.n + (isMessage({ kind }) ? 1 : 0),
    kind,
    by: user(by),
    cid: cid(id),
  };
}

/** Entries that follow `head`, one for each draft. */
export function entriesAfter(head: Pick<Head, 'seq' | 'n'>, drafts: readonly Draft[]): readonly Entry[] {
  const entries: Entry[] = [];
  let last = head;
  for (const draft of drafts) {
    const entry = entryAfter(last, draft);
    entries.push(entry);
    last = headAfter(entry);
  }
  return entries;
}

/** A message whose text is its cid, in a room where every entry but the first is one. */
export const messageOf = (seq: number, text: string, by: UserId, writer: string): Entry => ({
  seq,
  n: seq - 1,
  kind: 'message',
  by,
  at: 0,
  cid: text as Cid,
  writer,
  text,
});

/** How a group room of two begins: one entry with its facts and members. */
export const birthOf = (owner: UserId, member: UserId, writer: string): Entry => ({
  seq: 1,
  n: 0,
  kind: 'room',
  by: owner,
  at: 0,
  cid: 'birth' as Cid,
  writer,
  room: {
    kind: 'group',
    public: false,
    members: [
      { user: owner, role: 'owner' },
      { user: member, role: 'member' },
    ],
  },
});
