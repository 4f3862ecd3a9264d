/**
 * ForeignRun: a process that takes records from Kafka of which nobody here wants one, and parses as many, in turns.
 */
import type { Incarnation, NodeId, RoomId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { type EncodedRecord, RecordCodec } from '../../system/wire/event-record.ts';
import { type InboxRecord, KafkaInbox } from '../../system/wire/inbox-kafka.ts';
import { WireTally } from '../../system/wire/wire-tally.ts';
import { answerCalls } from './calls.ts';
import { textOf } from './message-text.ts';
import { cidOf, messageEntry, userOf } from './sample-entries.ts';

export interface ForeignRequest {
  /** Rooms with an actor here; none of them is in the records. */
  readonly rooms: number;
  readonly records: number;
  readonly durationMs: number;
}
export interface ForeignRun {
  readonly foreignUs: number;
  readonly parseUs: number;
  readonly wantedUs: number;
}

const senderOf = (node: string) => ({ node: node as NodeId, incarnation: `${node}.1` as Incarnation });
const secret = 'of-the-benchmark-0123456789-abcdefghij';
const sliceMs = 25;

async function run({ rooms, records: count, durationMs }: ForeignRequest): Promise<ForeignRun> {
  const other = new RecordCodec(secret, senderOf('other'));
  const entries = Array.from({ length: count }, (_, index) =>
    messageEntry(index + 1, index + 1, userOf(index), cidOf(index), textOf(index)),
  );
  const records = entries.map((entry, index) =>
    bytesOf(other.encode({ type: 'entry', room: `foreign-${index % 1_000}` as RoomId, kind: 'group', entry }, 0, `${entry.cid}`)),
  );
  const own = new Set(Array.from({ length: rooms }, (_, index) => `own-${index}` as RoomId));
  const tally = new WireTally();
  const log = createLogger({ level: 'error', base: {}, destination: { write: () => {} } });
  const inboxOf = (wants: (room: RoomId) => boolean): KafkaInbox => {
    const inbox = new KafkaInbox({
      codec: new RecordCodec(secret, senderOf('own')),
      incarnation: senderOf('own').incarnation,
      clock: { wallMs: () => 0 },
      log,
      tally,
    });
    inbox.subscribe({ wants, onEntries: () => {} });
    return inbox;
  };
  const [foreign, wanted] = [inboxOf((room) => own.has(room)), inboxOf(() => true)];
  const arms = {
    foreignUs: () => foreign.take('chat-topic', records),
    parseUs: () => {
      for (const { value } of records) parsed += Object.keys(JSON.parse(String(value)) as object).length;
    },
    wantedUs: () => wanted.take('chat-topic', records),
  };
  let parsed = 0;
  const spent = { foreignUs: { ms: 0, records: 0 }, parseUs: { ms: 0, records: 0 }, wantedUs: { ms: 0, records: 0 } };
  for (const work of Object.values(arms)) for (let warm = 0; warm < 20; warm += 1) work();
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    for (const [name, work] of Object.entries(arms) as [keyof typeof arms, () => void][]) {
      const begunMs = performance.now();
      let ms = 0;
      for (; ms < sliceMs; ms = performance.now() - begunMs) {
        work();
        spent[name].records += count;
      }
      spent[name].ms += ms;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (tally.received.foreign < spent.foreignUs.records || tally.received.entry < spent.wantedUs.records || parsed === 0)
    throw new Error('not every record was taken for what it is');
  const us = ({ ms, records: all }: { ms: number; records: number }): number => (ms * 1_000) / all;
  return { foreignUs: us(spent.foreignUs), parseUs: us(spent.parseUs), wantedUs: us(spent.wantedUs) };
}

function bytesOf({ key, value, headers }: EncodedRecord): InboxRecord {
  const texts = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]);
  return { key: Buffer.from(key), value: Buffer.from(value), headers: Object.fromEntries(texts) as NonNullable<InboxRecord['headers']> };
}

process.on('unhandledRejection', (error) => {
  throw error;
});
answerCalls({ run });
