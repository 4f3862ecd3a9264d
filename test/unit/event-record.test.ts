/**
 * What stands in Kafka: records that come back as they were, and every way in which one can be false.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Incarnation, NodeId, RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import {
  type EncodedRecord,
  RecordCodec,
  recordSchema,
  recordValue,
  valueBytesMax,
  type WireEvent,
} from '../../system/wire/event-record.ts';
import { groupOf, groupsOfTopics, type TopicName, topicNames } from '../../system/wire/topics.ts';
import type { RoomSignal } from '../../system/wire/wire.ts';
import { entriesAfter } from '../contract/wire.contract.ts';

const secret = 'of-all-nodes-0123456789-abcdefghij';
const sender = (node: string) => ({ node: node as NodeId, incarnation: `${node}.boot1` as Incarnation });
const codec = new RecordCodec(secret, sender('a'));
const room = 'lobby' as RoomId;
const now = 1_700_000_000_000;

const decode = (record: EncodedRecord, change: Partial<EncodedRecord> & { readonly bytes?: Buffer } = {}, wallMs = now) => {
  const { topic, key, headers, value } = { ...record, ...change };
  return codec.decode(topic, key, headers, change.bytes ?? Buffer.from(value), wallMs);
};
const encode = (event: WireEvent) => codec.encode(event, now, 'trace');
const entryEvent = (entry: Entry, kind: 'dm' | 'group' | 'channel' = 'group'): WireEvent => ({ type: 'entry', room, kind, entry });
const signalEvent = (signal: RoomSignal): WireEvent => ({ type: 'signal', room, kind: 'group', signal });
const typing = signalEvent({ type: 'typing', user: 'ada' as UserId, isTyping: true });
const read = signalEvent({ type: 'read', mark: { user: 'ada' as UserId, seq: 5, n: 3 }, isImplied: false });
const state: WireEvent = { type: 'state', event: { type: 'enter', userId: 'ada', communityId: '3', channelId: 'c-31' } };
const [firstEntry] = entriesAfter(1) as [Entry];

describe('a record', () => {
  it('comes back as it was: every kind of entry, signals, presence; and fits its schema', () => {
    for (const entry of entriesAfter(8)) {
      const record = encode(entryEvent(entry));
      expect(decode(record)).toEqual({ type: 'entry', room, entry });
      expect(recordValue.safeParse(JSON.parse(record.value)).error).toBeUndefined();
    }
    for (const event of [typing, read, state]) {
      const { type, ...rest } = event;
      const back = decode(encode(event));
      expect(back).toEqual(type === 'state' ? event : { type, room, signal: (rest as { signal: RoomSignal }).signal });
    }
  });

  it('stands in the topic of its kind, with the room as key and who sent it in its headers', () => {
    const topics = (kind: 'dm' | 'group' | 'channel') =>
      entriesAfter(8).map((entry) => `${entry.kind} ${encode(entryEvent(entry, kind)).topic}`);
    const etc = 'etc-direct-topic';
    const direct = [
      `room ${etc}`,
      'message chat-topic',
      `reply ${etc}`,
      `modify ${etc}`,
      `react ${etc}`,
      `member ${etc}`,
      `delete ${etc}`,
      'file file-topic',
    ];
    expect(topics('dm')).toEqual(direct);
    expect(topics('group')).toEqual(direct);
    expect(topics('channel')).toEqual(direct.map((line) => line.replace('chat-topic', 'direct-topic').replace(etc, 'etc-community-topic')));
    expect([typing, read, state].map((event) => encode(event).topic)).toEqual([etc, etc, 'state-topic']);
    const { key, headers } = encode(read);
    expect({ key, headers }).toEqual({
      key: 'lobby',
      headers: { node: 'a', incarnation: 'a.boot1', trace: 'trace', user: 'ada', signature: expect.stringMatching(/^[\w-]{43}$/) },
    });
  });

  it('of more than 256 KiB is its number only', () => {
    const text = '\u20ac'.repeat(valueBytesMax / 3);
    const record = encode(entryEvent({ ...firstEntry, text }));
    expect(decode(record)).toEqual({ type: 'hint', room, seq: 1 });
    expect(record.value.length).toBeLessThan(100);
    const fits = { ...firstEntry, text: 'x'.repeat(valueBytesMax - 1_000) };
    expect(decode(encode(entryEvent(fits)))).toEqual({ type: 'entry', room, entry: fits });
  });
});

describe('a record that is not to be believed', () => {
  const record = encode(entryEvent(firstEntry));
  const other = new RecordCodec('another-secret-0123456789-abcdefgh', sender('a')).encode(entryEvent(firstEntry), now, 't');
  const { signature: _signature, ...unsigned } = record.headers;
  const signed = (value: string, topic: TopicName = 'etc-direct-topic', key = 'lobby'): EncodedRecord => {
    // As a node with the secret and a bug would.
    const { node, incarnation } = sender('a');
    const sign = (codec as unknown as { sign(...args: unknown[]): string }).sign.bind(codec);
    return { topic, key, value, headers: { node, incarnation, trace: 't', signature: sign(topic, key, sender('a'), value) } };
  };
  const entryJson = JSON.parse(record.value) as Record<string, unknown>;

  it.each([
    ['without a signature', decode(record, { headers: unsigned }), 'unsigned'],
    ['signed with another secret', decode(other), 'forged'],
    ['of another key', decode(record, { key: 'other' }), 'forged'],
    ['in another topic', decode(record, { topic: 'chat-topic' }), 'forged'],
    ['of another node', decode(record, { headers: { ...record.headers, node: 'b' } }), 'forged'],
    ['of another life', decode(record, { headers: { ...record.headers, incarnation: 'a.boot2' } }), 'forged'],
    ['with another value', decode(record, { value: record.value.replace('"seq":1', '"seq":2') }), 'forged'],
    ['with a line break in its key', decode(record, { key: 'lobby\na' }), 'forged'],
    ['without a value', codec.decode(record.topic, record.key, record.headers, null, now), 'malformed'],
    ['of 2 MB', decode(record, { bytes: Buffer.alloc(2_000_000, '{') }), 'tooLarge'],
    ['of no JSON', decode(signed('{"v":1')), 'malformed'],
    ['of null', decode(signed('null')), 'malformed'],
    ['of another version', decode(signed(JSON.stringify({ ...entryJson, v: 2 }))), 'malformed'],
    ['of another room than its key', decode(signed(record.value, 'etc-direct-topic', 'other')), 'malformed'],
    ['with a negative seq', decode(signed(JSON.stringify({ ...entryJson, seq: -1 }))), 'malformed'],
    ['with a seq beyond all numbers', decode(signed(JSON.stringify({ ...entryJson, seq: 2 ** 60 }))), 'malformed'],
    ['with a seq that is text', decode(signed(JSON.stringify({ ...entryJson, seq: '1' }))), 'malformed'],
    ['of an unknown kind', decode(signed(JSON.stringify({ ...entryJson, kind: 'shout' }))), 'malformed'],
    ['of presence in a room topic', decode(signed(encode(state).value, 'etc-direct-topic', 'ada')), 'malformed'],
    ['of a room in the topic of presence', decode(signed(record.value, 'state-topic')), 'malformed'],
    ['of typing an hour ago', decode(encode(typing), {}, now + 3_600_000), 'stale'],
    ['of a mark an hour from now', decode(encode(read), {}, now - 3_600_000), 'stale'],
  ])('%s', (_name, verdict, wanted) => {
    expect(verdict).toBe(wanted);
  });

  it('never makes the decoder throw, nor brings a key that nobody knows', () => {
    fc.assert(
      fc.property(fc.constantFrom(...topicNames), fc.string(), fc.jsonValue(), fc.boolean(), (topic, key, json, isSigned) => {
        const value = JSON.stringify(json);
        const given = isSigned ? signed(value, topic, 'lobby') : { ...record, topic, key, value };
        expect(typeof decode(given)).toBe('string');
      }),
    );
    const polluted = decode(signed(record.value.replace('{', '{"__proto__":{"admin":true},"more":1,')));
    expect(polluted).toEqual({ type: 'entry', room, entry: firstEntry });
    expect((polluted as { entry: object }).entry).not.toHaveProperty('admin');
  });
});

describe('names', () => {
  it('are those that other services know; each node and life has groups of its own', () => {
    expect(groupsOfTopics).toEqual({
      'chat-topic': 'direct-server-group',
      'direct-topic': 'channel-server-group',
      'etc-direct-topic': 'direct-etc-server-group',
      'etc-community-topic': 'channel-etc-server-group',
      'file-topic': 'file-server-group',
      'state-topic': 'state-group',
    });
    const { node, incarnation } = sender('n.1');
    expect(groupOf('chat-topic', node, incarnation, 0)).toBe('direct-server-group-n.1-boot1');
    expect(groupOf('chat-topic', node, incarnation, 2)).toBe('direct-server-group-n.1-boot1-2');
  });

  it('the schema is JSON Schema, and refuses what is not a record', () => {
    const schema = recordSchema() as { $schema?: string };
    expect(schema.$schema).toContain('2020-12');
    expect(z.safeParse(recordValue, { v: 1 }).success).toBe(false);
  });
});
