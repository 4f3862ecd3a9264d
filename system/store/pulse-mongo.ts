/**
 * MongoPulse: whether MongoDB answers, asked twice a second on the connections that appends use.
 *
 * Guarantees: a primary that has not answered for `downMs` is told as down, once; the first answer after it as up. So a frozen server,
 * or a set without a primary, is known within 3 s, long before the driver gives its calls up.
 * Does not: decide anything for a call; each has its own time-outs.
 */
import type { Logger } from '../logger.ts';
import type { MongoDatabase } from './mongo-database.ts';

const beatMs = 500;
const downMs = 2_000;
/** A frozen server keeps each question for as long as the driver waits; they are not to take all connections. */
const askedMax = 2;

export type StoreState = 'up' | 'down';

export class MongoPulse {
  readonly #database: MongoDatabase;
  readonly #log: Logger;
  readonly #onState: (state: StoreState) => void;
  #state: StoreState = 'up';
  #asked = 0;
  /** The last moment from which an answer came, or would have been no surprise. */
  #answeredMs: number;
  #lookedMs: number;
  #cancel = (): void => {};
  #isStopped = false;

  constructor(database: MongoDatabase, log: Logger, onState: (state: StoreState) => void) {
    this.#database = database;
    this.#log = log;
    this.#onState = onState;
    this.#answeredMs = database.clock.nowMs();
    this.#lookedMs = this.#answeredMs;
    this.#beat();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #beat(): void {
    const { clock } = this.#database;
    const nowMs = clock.nowMs();
    // This process stood still itself: what came meanwhile has not been read yet.
    if (nowMs - this.#lookedMs > downMs) this.#answeredMs = nowMs;
    this.#lookedMs = nowMs;
    if (nowMs - this.#answeredMs > downMs) this.#tell('down');
    if (this.#asked < askedMax) this.#ask();
    this.#cancel = clock.after(beatMs, () => this.#beat());
  }

  #ask(): void {
    this.#asked += 1;
    const answered = (): void => {
      this.#asked -= 1;
    };
    this.#database.db.command({ ping: 1 }, { readPreference: 'primary' }).then(() => {
      answered();
      if (this.#isStopped) return;
      this.#answeredMs = this.#database.clock.nowMs();
      this.#tell('up');
    }, answered);
  }

  #tell(state: StoreState): void {
    if (state === this.#state || this.#isStopped) return;
    this.#state = state;
    const database = this.#database.db.databaseName;
    if (state === 'up') this.#log.info({ ev: 'store.up', database }, 'MongoDB answers again');
    else
      this.#log.error(
        { ev: 'store.down', database },
        'MongoDB does not answer: nothing is acknowledged until it does. Is the server up, has the set a primary? The node tries on by itself',
      );
    this.#onState(state);
  }
}
