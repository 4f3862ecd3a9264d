/**
 * SampleEntries: entries, ids and settings for the arms that go past the gateway.
 */
import type { RoomSettings } from '../../actors/room-protocol.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import type { Entry, EntryKind } from '../../system/store/entry.ts';
import { testConfig } from '../support/test-config.ts';

const writer = 'node-1.bench';
/** Any; fixed, so that prepared data is the same each time. */
const atMs = 1_700_000_000_000;

export const roomOf = (index: number): RoomId => `room-${index}` as RoomId;
export const userOf = (index: number): UserId => `user-${index}` as UserId;
export const cidOf = (index: number): Cid => `c${index.toString(36)}` as Cid;

export function createEntry(members: readonly UserId[]): Entry {
  const facts = {
    kind: 'group',
    public: false,
    members: members.map((user, index) => ({ user, role: index === 0 ? ('owner' as const) : ('member' as const) })),
  } as const;
  return { seq: 1, n: 0, kind: 'room', by: members[0] as UserId, at: atMs, cid: 'sys:create' as Cid, writer, room: facts };
}

export function messageEntry(seq: number, n: number, by: UserId, cid: Cid, text: string): Entry {
  return { seq, n, kind: 'message', by, name: by, at: atMs + seq, cid, writer, text };
}

export function changeEntry(
  seq: number,
  n: number,
  kind: EntryKind,
  by: UserId,
  target: number,
  content: Partial<Pick<Entry, 'text' | 'emoji' | 'on'>>,
): Entry {
  return { seq, n, kind, by, name: by, at: atMs + seq, cid: cidOf(seq), writer, target, ...content };
}

const { roomPendingMax, senderPendingMax, ackDeadlineMs, resumeEntriesMax } = testConfig();
/** As system/node.ts makes them for a stand-alone node with default settings. */
export const roomSettings: RoomSettings = {
  writer,
  sharedLog: false,
  pendingMax: roomPendingMax,
  senderPendingMax,
  ackDeadlineMs,
  batchEntriesMax: 512,
  batchBytesMax: 256 * 1024,
  readEntriesMax: 500,
  resumeEntriesMax,
  reorderEntriesMax: 1024,
  reorderBytesMax: 1_000_000,
  gapMs: 75,
  recentEntriesMax: 256,
};
