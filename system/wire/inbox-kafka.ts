/**
 * KafkaInbox: what comes from Kafka, given to whoever listens.
 *
 * Guarantees: a record of a room that has no actor here is dropped by its key, before its value is looked at; nothing that comes in
 * throws, and nothing unsigned is given to anybody; what cannot be believed is counted, and logged once a kind.
 */
import type { KafkaMessage } from 'kafkajs';
import { describeCause } from '../cause.ts';
import type { Clock } from '../clock.ts';
import type { Incarnation, RoomId, UserId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { Entry } from '../store/entry.ts';
import type { BadRecord, Headers, ReadEvent, RecordCodec } from './event-record.ts';
import { OnceAKind } from './once-a-kind.ts';
import type { TopicName } from './topics.ts';
import type { WireListener } from './wire.ts';
import type { WireTally } from './wire-tally.ts';

export interface KafkaInboxOptions {
  readonly codec: RecordCodec;
  /** Records of this life are our own. */
  readonly incarnation: Incarnation;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Logger;
  readonly tally: WireTally;
}

/** Of a record, what is looked at. */
export type InboxRecord = Pick<KafkaMessage, 'key' | 'value' | 'headers'>;

export class KafkaInbox {
  private readonly options: KafkaInboxOptions;
  private readonly listeners = new Set<WireListener>();
  private readonly badKinds = new OnceAKind();
  private isClosed = false;

  constructor(options: KafkaInboxOptions) {
    this.options = options;
  }

  subscribe(listener: WireListener): () => void {
    if (!this.isClosed) this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** One batch of one topic. Entries of a room that stand together are given together. */
  take(topic: TopicName, records: readonly InboxRecord[]): void {
    let run: { readonly room: RoomId; readonly entries: Entry[] } | undefined;
    const flush = (): void => {
      const given = run;
      run = undefined;
      if (given)
        this.tell(
          (listener) => listener.wants(given.room),
          (listener) => listener.onEntries(given.room, given.entries),
        );
    };
    for (const record of records) {
      const event = this.read(topic, record);
      if (!event) continue;
      if (event.type !== 'entry') {
        flush();
        this.give(event);
      } else if (run && run.room === event.room) run.entries.push(event.entry);
      else {
        flush();
        run = { room: event.room, entries: [event.entry] };
      }
    }
    flush();
  }

  /** undefined: nobody wants it, it is our own, or it is bad. The order is that of the cost: most records are of rooms that nobody reads here. */
  private read(topic: TopicName, { key, value, headers = {} }: InboxRecord): ReadEvent | undefined {
    const { codec, tally, incarnation, clock } = this.options;
    const name = key?.toString() ?? '';
    if (topic !== 'state-topic' && !this.isWanted(name as RoomId) && !this.isWantedUser(headers['user'])) {
      tally.received.foreign += 1;
      return undefined;
    }
    if (headers['incarnation']?.toString() === incarnation) {
      tally.received.own += 1;
      return undefined;
    }
    const event = codec.decode(topic, name, textsOf(headers), value, clock.wallMs());
    if (typeof event === 'string') return this.bad(topic, event);
    tally.received[event.type] += 1;
    return event;
  }

  private isWanted(room: RoomId): boolean {
    for (const listener of this.listeners) {
      try {
        if (listener.wants(room)) return true;
      } catch {
        // It is told nothing.
      }
    }
    return false;
  }

  private isWantedUser(header: unknown): boolean {
    if (header === undefined) return false;
    const user = String(header) as UserId;
    for (const listener of this.listeners) {
      try {
        if (listener.wantsUser?.(user)) return true;
      } catch {
        // It is told nothing.
      }
    }
    return false;
  }

  private give(event: ReadEvent): void {
    switch (event.type) {
      case 'entry':
        return this.tell(
          (listener) => listener.wants(event.room),
          (listener) => listener.onEntries(event.room, [event.entry]),
        );
      case 'hint':
        return this.tell(
          (listener) => listener.wants(event.room),
          (listener) => listener.onHint?.(event.room, event.seq),
        );
      case 'signal': {
        const { room, signal } = event;
        const wants = (listener: WireListener): boolean =>
          listener.wants(room) || (signal.type === 'read' && listener.wantsUser?.(signal.mark.user) === true);
        return this.tell(wants, (listener) => listener.onSignal?.(room, signal));
      }
      case 'state':
        return this.tell(
          () => true,
          (listener) => listener.onState?.(event.event),
        );
    }
  }

  private tell(wants: (listener: WireListener) => boolean, give: (listener: WireListener) => void): void {
    for (const listener of [...this.listeners]) {
      try {
        if (wants(listener)) give(listener);
      } catch (error) {
        if (this.badKinds.isFirst('listener'))
          this.options.log.error({ ev: 'wire.listener', cause: describeCause(error) }, 'a listener of the wire threw; said once');
      }
    }
  }

  private bad(topic: TopicName, kind: BadRecord): undefined {
    this.options.tally.bad[kind] += 1;
    if (this.badKinds.isFirst(kind))
      this.options.log.warn(
        { ev: 'wire.bad', kind, topic },
        'a record from Kafka is not to be believed and was ignored; said once a kind, counted always',
      );
    return undefined;
  }

  close(): void {
    this.isClosed = true;
    this.listeners.clear();
  }
}

function textsOf(headers: NonNullable<KafkaMessage['headers']>): Headers {
  const texts: Record<string, string> = {};
  for (const name of headerNames) {
    const value = headers[name];
    if (value !== undefined) texts[name] = String(value);
  }
  return texts;
}
const headerNames = ['node', 'incarnation', 'signature'] as const;
