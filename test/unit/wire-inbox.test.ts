/**
 * What comes from Kafka, without Kafka: who is told what, and that the rest costs nothing and is counted.
 */
import { describe, expect, it } from 'vitest';
import type { Incarnation, NodeId, RoomId, UserId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { type EncodedRecord, RecordCodec, type WireEvent } from '../../system/wire/event-record.ts';
import { type InboxRecord, KafkaInbox } from '../../system/wire/inbox-kafka.ts';
import { WireTally } from '../../system/wire/wire-tally.ts';
import { entriesAfter, listen } from '../contract/wire.contract.ts';

const secret = 'of-all-nodes-0123456789-abcdefghij';
const now = 1_700_000_000_000;
const sender = (node: string) => ({ node: node as NodeId, incarnation: `${node}.1` as Incarnation });
const other = new RecordCodec(secret, sender('b'));
const room = (id: string) => id as RoomId;

function inboxOf() {
  const tally = new WireTally();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'debug', base: {}, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const codec = new RecordCodec(secret, sender('a'));
  const inbox = new KafkaInbox({ codec, incarnation: sender('a').incarnation, clock: { wallMs: () => now }, log, tally });
  return { inbox, tally, lines };
}

const bytesOf = ({ key, value, headers }: EncodedRecord): InboxRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
});
const recordOf = (event: WireEvent, codec = other): InboxRecord => bytesOf(codec.encode(event, now, 't'));
const entryRecord = (of: string, seq: number): InboxRecord =>
  recordOf({ type: 'entry', room: room(of), kind: 'dm', entry: { ...(entriesAfter(2)[1] as (typeof entries)[number]), seq } });
const entries = entriesAfter(2);

describe('the inbox', () => {
  it('gives entries of a room that stand together in one call', () => {
    const { inbox, tally } = inboxOf();
    const heard = listen(inbox as never);
    inbox.take('chat-topic', [entryRecord('x', 1), entryRecord('x', 2), entryRecord('y', 1), entryRecord('x', 3)]);
    expect(heard.entries.map(({ room: of, entries: given }) => `${of} ${given.map(({ seq }) => seq)}`)).toEqual(['x 1,2', 'y 1', 'x 3']);
    expect(tally.received.entry).toBe(4);
  });

  it('does not look at the value of a record that nobody wants', () => {
    const { inbox, tally } = inboxOf();
    const heard = listen(inbox as never, { wants: (of) => of === 'x' });
    const untouchable = new Proxy(
      { key: Buffer.from('z'), headers: {} },
      {
        get(target, name) {
          if (name === 'value') return 'never read';
          return Reflect.get(target, name) as unknown;
        },
      },
    ) as unknown as InboxRecord;
    inbox.take('chat-topic', [untouchable, { key: null, value: Buffer.from('{}') }, entryRecord('x', 1)]);
    expect([heard.entries.length, tally.received.foreign]).toEqual([1, 2]);
    expect(Object.values(tally.bad).every((count) => count === 0)).toBe(true);
  });

  it('gives a read mark to where its user is, whatever the room; a name in a header alone brings nothing', () => {
    const { inbox, tally } = inboxOf();
    const heard = listen(inbox as never, { wants: () => false, wantsUser: (who) => who === 'bob' });
    const mark = (user: string): WireEvent => ({
      type: 'signal',
      room: room('x'),
      kind: 'dm',
      signal: { type: 'read', mark: { user: user as UserId, seq: 1, n: 1 }, isImplied: false },
    });
    const lying = recordOf(mark('ada'));
    inbox.take('etc-direct-topic', [
      recordOf(mark('bob')),
      recordOf(mark('ada')),
      { ...lying, headers: { ...lying.headers, user: 'bob' } },
    ]);
    expect(heard.signals.map(({ signal }) => signal.type === 'read' && signal.mark.user)).toEqual(['bob']);
    expect(tally.received.foreign).toBe(1);
  });

  it('does not hear itself', () => {
    const { inbox, tally } = inboxOf();
    const heard = listen(inbox as never);
    const own = new RecordCodec(secret, sender('a'));
    inbox.take('chat-topic', [recordOf({ type: 'entry', room: room('x'), kind: 'dm', entry: entries[1] as never }, own)]);
    expect([heard.entries.length, tally.received.own]).toEqual([0, 1]);
  });

  it('counts what is bad, says each kind once and nothing of what it holds, and goes on', () => {
    const { inbox, tally, lines } = inboxOf();
    const heard = listen(inbox as never);
    const good = entryRecord('x', 1);
    const forged: InboxRecord = { ...good, value: Buffer.from(String(good.value).replace('"seq":1', '"seq":7')) };
    const unsigned: InboxRecord = { ...good, headers: {} };
    inbox.take('chat-topic', [forged, unsigned, forged, { ...good, value: null }, forged, unsigned, good]);
    expect(tally.bad).toEqual({ unsigned: 2, forged: 3, malformed: 1, tooLarge: 0, stale: 0 });
    expect(lines.map(({ ev, kind }) => `${ev as string} ${kind as string}`).sort()).toEqual([
      'wire.bad forged',
      'wire.bad malformed',
      'wire.bad unsigned',
    ]);
    expect(JSON.stringify(lines)).not.toContain('hello');
    expect(heard.entries).toHaveLength(1);
  });

  it('goes on when a listener throws, and gives the others what is theirs', () => {
    const { inbox, lines } = inboxOf();
    inbox.subscribe({
      wants() {
        throw new TypeError('on purpose');
      },
      onEntries: () => {},
    });
    inbox.subscribe({
      wants: () => true,
      onEntries() {
        throw new RangeError('on purpose');
      },
    });
    const heard = listen(inbox as never);
    inbox.take('chat-topic', [entryRecord('x', 1), entryRecord('y', 1)]);
    expect(heard.entries).toHaveLength(2);
    expect(lines.filter(({ ev }) => ev === 'wire.listener')).toHaveLength(1);
  });
});
