/**
 * EventRecord: the encoded form of what goes over Kafka: key, JSON value, headers with a signature. The only file that knows it.
 *
 * Guarantees: decode(encode(e)) equals e; whatever bytes come in, `decodeRecord` answers in time bounded by `valueBytesMax` and does
 * not throw; nothing is believed that a node with the cluster's secret has not signed for this topic and key.
 * Does not: keep a signed record from being sent again; entries carry numbers, marks only rise, signals carry a time.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type Incarnation, idPattern, type NodeId, type RoomId, type UserId } from '../ids.ts';
import { changeKinds, controlKinds, type Entry, messageKinds, type RoomKind } from '../store/entry.ts';
import { type TopicName, topicOfEntry, topicOfSignal } from './topics.ts';
import { type RoomSignal, type StateEvent, stateChanges } from './wire.ts';

/** What a node has to say. */
export type WireEvent =
  | { readonly type: 'entry'; readonly room: RoomId; readonly kind: RoomKind; readonly entry: Entry }
  | { readonly type: 'signal'; readonly room: RoomId; readonly kind: RoomKind; readonly signal: RoomSignal }
  | { readonly type: 'state'; readonly event: StateEvent };

/** What a record says to whoever reads it. */
export type ReadEvent =
  | { readonly type: 'entry'; readonly room: RoomId; readonly entry: Entry }
  /** The entry exists, but was too large to be sent along. */
  | { readonly type: 'hint'; readonly room: RoomId; readonly seq: number }
  | { readonly type: 'signal'; readonly room: RoomId; readonly signal: RoomSignal }
  | { readonly type: 'state'; readonly event: StateEvent };

export const badRecords = ['unsigned', 'forged', 'malformed', 'tooLarge', 'stale'] as const;
export type BadRecord = (typeof badRecords)[number];

export type Headers = Readonly<Record<string, string>>;

export interface EncodedRecord {
  readonly topic: TopicName;
  readonly key: string;
  readonly value: string;
  readonly headers: Headers;
}

/** A longer entry is sent as its number only. */
export const valueBytesMax = 256 * 1_024;
/** A signal that is older, or newer, by the wall clocks of two nodes is not shown: it is over, or was sent again by somebody. */
const signalAgeMaxMs = 30_000;
/** Makes the key of this use out of the secret of all uses. */
const purpose = 'playhouse wire 1';

// ---- the value ----

const id = z.string().regex(idPattern);
/** Longer than any id, for those made by nodes (`sys:…`) and incarnations. */
const longId = z.string().min(1).max(256);
const seq = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const at = z.number().describe('Milliseconds since the epoch by the clock of the sending node. Information only: order is seq.');
const version = z.literal(1);
const roomKind = z.enum(['dm', 'group', 'channel']);
const role = z.enum(['owner', 'moderator', 'member']);
const inRoom = { v: version, room: id, roomKind };

const entryValue = z
  .object({
    ...inRoom,
    kind: z.enum([...messageKinds, ...changeKinds, ...controlKinds]),
    seq: seq.describe('Position in the room: 1, 2, 3 … without holes.'),
    n: count.describe('Messages up to and including this entry.'),
    by: id,
    name: z.string().optional(),
    at,
    cid: longId.describe('The sender’s own id of the command, unique per room and sender.'),
    writer: longId.describe('The life of the node that stored it.'),
    text: z.string().optional(),
    replyTo: seq.optional().describe('For a reply: seq of the answered message.'),
    target: seq.optional().describe('For modify, delete, react: seq of the message it changes.'),
    emoji: z.string().optional(),
    on: z.boolean().optional(),
    member: z.object({ user: id, change: z.enum(['joined', 'left', 'invited', 'kicked']), role: role.optional() }).optional(),
    facts: z
      .object({
        kind: roomKind,
        name: z.string().optional(),
        public: z.boolean(),
        community: z.string().optional(),
        members: z.array(z.object({ user: id, role })),
      })
      .optional()
      .describe('For kind room: what the room is, with its first members.'),
    file: z.object({ id: longId, name: z.string(), type: z.string(), bytes: count, sha256: z.string() }).optional(),
    scrubbed: z.literal(true).optional().describe('The text was removed because the message was deleted.'),
  })
  .describe('An entry of a room, stored already.');

const hintValue = z
  .object({ ...inRoom, kind: z.literal('hint'), seq })
  .describe('An entry of more than 256 KiB was stored; it is to be read by its number.');
const typingValue = z
  .object({ ...inRoom, kind: z.literal('typing'), by: id, on: z.boolean(), at })
  .describe('Somebody types, or stopped. Ends by itself 6 s after the last one.');
const readValue = z
  .object({
    ...inRoom,
    kind: z.literal('read'),
    by: id,
    seq,
    n: count,
    implied: z.boolean().describe('By a message of theirs, not by reading.'),
    at,
  })
  .describe('Somebody has read the room up to seq, the n-th message.');
const stateValue = z
  .object({
    v: version,
    type: z.enum(stateChanges),
    userId: z.string().min(1).max(256),
    state: z.string().max(256).optional(),
    communityId: z.string().max(256).optional(),
    channelId: z.string().max(256).optional(),
    ids: z.array(z.string().max(256)).max(100_000).optional().describe('The user’s rooms, as topic suffixes such as direct/1.'),
    at,
  })
  .describe('Presence or voice; on state-topic only. The key is userId.');

const roomValue = z.discriminatedUnion('kind', [entryValue, hintValue, typingValue, readValue]);
/** Every value there is. */
export const recordValue = z.union([roomValue, stateValue]);

/** JSON Schema of the values, for whoever reads the topics. */
export const recordSchema = (): unknown => z.toJSONSchema(recordValue, { target: 'draft-2020-12' });

// ---- writing ----

export interface Sender {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
}

export class RecordCodec {
  private readonly key: Buffer;
  private readonly sender: Sender;

  constructor(clusterSecret: string, sender: Sender) {
    this.key = createHmac('sha256', clusterSecret).update(purpose).digest();
    this.sender = sender;
  }

  /** `wallMs` is the time of signals; entries carry their own. */
  encode(event: WireEvent, wallMs: number, trace: string): EncodedRecord {
    const { topic, key, value, user } = placed(event, wallMs);
    const { node, incarnation } = this.sender;
    const signature = this.sign(topic, key, this.sender, value);
    return { topic, key, value, headers: { node, incarnation, trace, signature, ...(user !== undefined && { user }) } };
  }

  decode(topic: TopicName, key: string, headers: Headers, value: Buffer | null, wallMs: number): ReadEvent | BadRecord {
    if (value === null || value.length > 2 * valueBytesMax) return value === null ? 'malformed' : 'tooLarge';
    const { node = '', incarnation = '', signature = '' } = headers;
    if (signature === '') return 'unsigned';
    // Nothing that is signed may hold the line break that stands between its parts.
    if (!namePattern.test(node) || !namePattern.test(incarnation) || !namePattern.test(key)) return 'forged';
    const wanted = this.sign(topic, key, { node: node as NodeId, incarnation: incarnation as Incarnation }, value);
    const [given, right] = [Buffer.from(signature), Buffer.from(wanted)];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return 'forged';
    return read(topic, key, value, wallMs);
  }

  private sign(topic: TopicName, key: string, { node, incarnation }: Sender, value: string | Buffer): string {
    const hmac = createHmac('sha256', this.key).update(`${topic}\n${key}\n${node}\n${incarnation}\n`);
    return hmac.update(value).digest('base64url');
  }
}

const namePattern = /^[A-Za-z0-9_.:-]{1,256}$/;

interface Placed {
  readonly topic: TopicName;
  readonly key: string;
  readonly value: string;
  /** For those who look for a user, not for a room. */
  readonly user?: UserId;
}

function placed(event: WireEvent, wallMs: number): Placed {
  switch (event.type) {
    case 'entry':
      return placedEntry(event.room, event.kind, event.entry);
    case 'signal': {
      const { room, kind, signal } = event;
      const base = { v: 1, room, roomKind: kind, kind: signal.type } as const;
      const topic = topicOfSignal(kind);
      if (signal.type === 'typing')
        return { topic, key: room, value: JSON.stringify({ ...base, by: signal.user, on: signal.isTyping, at: wallMs }) };
      const { user, seq, n } = signal.mark;
      return { topic, key: room, user, value: JSON.stringify({ ...base, by: user, seq, n, implied: signal.isImplied, at: wallMs }) };
    }
    case 'state': {
      const { type, userId, state, communityId, channelId, ids } = event.event;
      const value = JSON.stringify({ v: 1, type, userId, state, communityId, channelId, ids, at: wallMs });
      return { topic: 'state-topic', key: userId, value };
    }
  }
}

function placedEntry(room: RoomId, roomKind: RoomKind, entry: Entry): Placed {
  const { seq, n, kind, by, name, at, cid, writer, text, replyTo, target, emoji, on, member, room: facts, file, scrubbed } = entry;
  const fields = { v: 1, room, roomKind, kind, seq, n, by, name, at, cid, writer, text, replyTo, target, emoji, on };
  const value = JSON.stringify({ ...fields, member, facts, file, scrubbed });
  const topic = topicOfEntry(roomKind, kind);
  // A character is at most 3 bytes of UTF-8: most values need not be measured.
  const isTooLarge = value.length * 3 > valueBytesMax && Buffer.byteLength(value) > valueBytesMax;
  return { topic, key: room, value: isTooLarge ? JSON.stringify({ v: 1, room, roomKind, kind: 'hint', seq }) : value };
}

// ---- reading ----

function read(topic: TopicName, key: string, bytes: Buffer, wallMs: number): ReadEvent | BadRecord {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    return 'malformed';
  }
  if (topic === 'state-topic') {
    const state = stateValue.safeParse(json);
    if (!state.success || state.data.userId !== key) return 'malformed';
    const { v: _v, at: _at, ...event } = state.data;
    return { type: 'state', event: event as StateEvent };
  }
  const parsed = roomValue.safeParse(json);
  if (!parsed.success || parsed.data.room !== key) return 'malformed';
  const value = parsed.data;
  const room = value.room as RoomId;
  if (value.kind === 'hint') return { type: 'hint', room, seq: value.seq };
  if (value.kind !== 'typing' && value.kind !== 'read') return { type: 'entry', room, entry: entryOf(value) };
  if (Math.abs(wallMs - value.at) > signalAgeMaxMs) return 'stale';
  const user = value.by as UserId;
  if (value.kind === 'typing') return { type: 'signal', room, signal: { type: 'typing', user, isTyping: value.on } };
  const { seq: markSeq, n, implied } = value;
  return { type: 'signal', room, signal: { type: 'read', mark: { user, seq: markSeq, n }, isImplied: implied } };
}

function entryOf({ v: _v, room: _room, roomKind: _kind, facts, ...value }: z.infer<typeof entryValue>): Entry {
  // Parsed by a schema that says what an entry is, but for the brands of its ids.
  return { ...value, ...(facts && { room: facts }) } as unknown as Entry;
}
