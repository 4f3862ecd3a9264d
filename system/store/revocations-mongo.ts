/**
 * Revocations on MongoDB: one document for each token, user or everybody; a counter gives each addition its place.
 *
 * Guarantees: counter and document are one transaction, so that a reader who has seen a place has seen all before it. One addition of
 * a node at a time: revocations are rare, and others would only run into each other.
 */
import { Fault } from '../errors.ts';
import type { MongoDatabase } from './mongo-database.ts';
import { type Revocation, type Revocations, type RevocationsRead, type Revoked, revocationsMax } from './revocations.ts';

const counterId = 'counter';
/** Additions of this node that wait. More: STORE_UNAVAILABLE. */
const waitingMax = 1_000;

export class MongoRevocations implements Revocations {
  readonly #database: MongoDatabase;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

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
      const rows = await this.#database.revocations
        .find({ _id: { $ne: counterId }, added: { $gt: after } }, { sort: { added: 1 } })
        .toArray();
      const revocations = rows.map(({ of, atMs, endsAtMs }) => ({ of, atMs, endsAtMs }) as Revocation);
      return { revocations, cursor: String(rows.at(-1)?.added ?? after) };
    });
  }

  async #write({ of, atMs, endsAtMs }: Revocation): Promise<void> {
    const { client, revocations } = this.#database;
    await client.withSession((session) =>
      session.withTransaction(
        async () => {
          await revocations.deleteMany({ _id: { $ne: counterId }, endsAtMs: { $lte: atMs } }, { session });
          const counted = await revocations.findOneAndUpdate(
            { _id: counterId },
            { $inc: { added: 1 } },
            { session, upsert: true, returnDocument: 'after' },
          );
          const set = { $max: { atMs, endsAtMs }, $set: { of, added: counted?.added ?? 1 } };
          const { upsertedCount } = await revocations.updateOne({ _id: keyOf(of) }, set, { session, upsert: true });
          if (upsertedCount > 0 && (await revocations.countDocuments({}, { session })) > revocationsMax + 1)
            throw new Fault('REVOCATIONS_FULL', `${revocationsMax} revocations live; revoke everybody, or change the key of the tokens`);
        },
        { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority', j: true, wtimeoutMS: 5_000 } },
      ),
    );
  }
}

const keyOf = (of: Revoked): string => ('jti' in of ? `token ${of.jti}` : 'user' in of ? `user ${of.user}` : 'everybody');
