/**
 * MongoTail: a change stream that tells of committed entries: room, seq, count and writer, never a text.
 *
 * Guarantees: after each commit, in order within a room. The driver resumes a stream where it was; one that it cannot resume is opened
 * anew from now on. A hint: what is lost meanwhile is found by polls.
 * Does not: run while nobody listens.
 */
import type { mongo } from 'mongoose';
import type { RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { Head } from './entry.ts';
import type { EntryRow } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';

type OnHead = (room: RoomId, head: Head) => void;
type Change = { readonly fullDocument: Pick<EntryRow, 'room' | 'seq' | 'n' | 'writer'> };

const fields = { 'fullDocument.room': 1, 'fullDocument.seq': 1, 'fullDocument.n': 1, 'fullDocument.writer': 1 } as const;
/** How long the server may gather changes while there are none. */
const maxAwaitTimeMS = 1_000;
const reopenAfterMs = 1_000;

export class MongoTail {
  readonly #database: MongoDatabase;
  readonly #log: Logger;
  readonly #listeners = new Set<OnHead>();
  #stream: mongo.ChangeStream<EntryRow> | undefined;
  #wasOpen = false;
  #isClosed = false;

  constructor(database: MongoDatabase, log: Logger) {
    this.#database = database;
    this.#log = log;
  }

  /** A stream is open. One that hangs is found by the driver's own time-outs. */
  get isLive(): boolean {
    return this.#stream !== undefined;
  }

  listen(onHead: OnHead): () => void {
    const own: OnHead = (room, head) => onHead(room, head);
    this.#listeners.add(own);
    this.#open();
    return () => {
      this.#listeners.delete(own);
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    await this.#stream?.close().catch(() => {});
  }

  #open(): void {
    if (this.#isClosed || this.#stream) return;
    const pipeline = [{ $match: { operationType: 'insert' } }, { $project: fields }];
    // The first one begins where the node connected, so that nothing falls between that and the stream's opening.
    const from = this.#wasOpen ? {} : { startAtOperationTime: this.#database.openedAt };
    this.#wasOpen = true;
    const stream = this.#database.entries.watch(pipeline, { maxAwaitTimeMS, ...from } as mongo.ChangeStreamOptions);
    this.#stream = stream;
    stream.on('change', (change) => this.#onChange(change as unknown as Change));
    stream.on('error', (cause) => this.#onBroken(stream, cause));
    stream.on('close', () => this.#onBroken(stream, undefined));
  }

  #onChange({ fullDocument: { room, seq, n, writer } }: Change): void {
    for (const onHead of this.#listeners) onHead(room, { seq, n, writer });
  }

  #onBroken(stream: mongo.ChangeStream<EntryRow>, cause: unknown): void {
    if (this.#stream !== stream || this.#isClosed) return;
    this.#stream = undefined;
    this.#log.warn(
      { ev: 'store.tail', cause: cause instanceof Error ? cause.name : 'closed' },
      'the tail of the store broke; it is opened anew',
    );
    stream.close().catch(() => {});
    this.#database.clock.after(reopenAfterMs, () => this.#open());
  }
}
