/**
 * Revocations on MongoDB: one document for each token, user or everybody; a counter gives each addition its place.
 *
 * A place is taken in one write together with what is to stand there (`last`), only from the counter as it was read, and only once what
 * was taken before stands at its place; whoever comes next puts it there when its node died in between.
 * Guarantees: so a reader who has seen a place has seen all before it, and no more live than the bound. No transaction: a node that dies
 * holds up nobody. One addition of a node at a time: revocations are rare, and others would only take each other's places.
 */
import { Fault } from '../errors.ts';
import type { MongoDatabase } from './mongo-database.ts';
import type { PlacedRevocation } from './mongo-documents.ts';
import { revocationsIndex } from './mongo-indexes.ts';
import { type Revocation, type Revocations, type RevocationsRead, type Revoked, revocationsMax } from './revocations.ts';

const counterId = 'counter';
/** Additions of this node that wait. More: STORE_UNAVAILABLE. */
const waitingMax = 1_000;
/** Places lost to other nodes before an addition is STORE_UNAVAILABLE. Each was won by somebody. */
const lostMax = 200;
const duplicateKey = 11_000;

export class MongoRevocations implements Revocations {
  readonly #database: MongoDatabase;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Up to there every place is known to be filled. */
  #filledTo = 0;

  constructor(database: MongoDatabase) {
    this.#database = database;
  }

  async add(revocation: Revocation): Promise<void> {
    const refusal = this.#database.refusal();
    if (refusal) throw refusal;
    if (this.#waiting >= waitingMax) throw new Fault('STORE_UNAVAILABLE', 'too many revocations wait to be written');
    this.#waiting += 1;
    const mine = this.#last
      .then(() => this.#database.run(() => this.#write(revocation)))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#last = mine.catch(() => {});
    return mine;
  }

  async read(cursor?: string): Promise<RevocationsRead> {
    const after = cursor === undefined ? 0 : Number(cursor);
    return this.#database.run(async () => {
      // Upwards along the places, as they are filled: of what comes meanwhile nothing is passed by.
      const options = { sort: { added: 1 }, hint: revocationsIndex } as const;
      const rows = await this.#database.revocations.find({ _id: { $ne: counterId }, added: { $gt: after } }, options).toArray();
      const revocations = rows.map(({ of, atMs, endsAtMs }) => ({ of, atMs, endsAtMs }) as Revocation);
      return { revocations, cursor: String(rows.at(-1)?.added ?? after) };
    });
  }

  async #write({ of, atMs, endsAtMs }: Revocation): Promise<void> {
    const { revocations } = this.#database;
    await revocations.deleteMany({ _id: { $ne: counterId }, endsAtMs: { $lte: atMs } });
    for (let lost = 0; lost <= lostMax; lost += 1) {
      // Not only what is committed: what is not would be met again and again. Whatever is written behind it commits it, too.
      const counter = await revocations.findOne({ _id: counterId }, { readConcern: { level: 'local' } });
      if (counter?.last && counter.last.added > this.#filledTo) await this.#fill(counter.last);
      await this.#refuseFull(of);
      const place = { of, atMs, endsAtMs, added: (counter?.added ?? 0) + 1 };
      if (!(await this.#take(place, counter === null))) continue;
      await this.#fill(place);
      return;
    }
    throw new Fault('STORE_UNAVAILABLE', 'other nodes took every place for a revocation');
  }

  /** Whether the counter was still where this place is the next. */
  async #take(place: PlacedRevocation, isFirst: boolean): Promise<boolean> {
    const { added } = place;
    const set = { $set: { added, last: place } };
    try {
      const { matchedCount, upsertedCount } = await this.#database.revocations.updateOne({ _id: counterId, added: added - 1 }, set, {
        upsert: isFirst,
      });
      return matchedCount + upsertedCount > 0;
    } catch (cause) {
      if ((cause as { readonly code?: unknown }).code === duplicateKey) return false;
      throw cause;
    }
  }

  /** Comes to the same when it is done twice, or late. */
  async #fill({ of, ...times }: PlacedRevocation): Promise<void> {
    await this.#database.revocations.updateOne({ _id: keyOf(of) }, { $max: times, $set: { of } }, { upsert: true });
    this.#filledTo = Math.max(this.#filledTo, times.added);
  }

  async #refuseFull(of: Revoked): Promise<void> {
    const { revocations } = this.#database;
    if (await revocations.findOne({ _id: keyOf(of) }, { projection: { _id: 1 } })) return;
    if ((await revocations.countDocuments({ _id: { $ne: counterId } })) < revocationsMax) return;
    throw new Fault('REVOCATIONS_FULL', `${revocationsMax} revocations live; revoke everybody, or change the key of the tokens`);
  }
}

const keyOf = (of: Revoked): string => ('jti' in of ? `token ${of.jti}` : 'user' in of ? `user ${of.user}` : 'everybody');
