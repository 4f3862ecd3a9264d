/**
 * Revocations on the embedded database: numbered slots under `v!slot`, since this database deletes nothing.
 *
 * One process owns the folder, so after the first read all answers come from memory. A slot that does not verify may have
 * spoken of anybody: it becomes "everybody, until now" in the same place, so that whoever was revoked stays so and the others
 * need a new token.
 */
import { Fault } from '../errors.ts';
import type { UserId } from '../ids.ts';
import type { CommitBatch, CommitJob } from './commit-queue.ts';
import type { EmbeddedDatabase } from './embedded-database.ts';
import { keysUnder, revocationKey, seqOfKey } from './embedded-keys.ts';
import { openValue, sealValue } from './entry-document.ts';
import { RevocationTable } from './revocation-table.ts';
import { type Revocation, type Revocations, type RevocationsRead, type Revoked, revocationsMax } from './revocations.ts';

/** They are stored one after the other. Waiting beyond this: STORE_UNAVAILABLE. */
const waitingMax = 1_000;
/** The longest life of a token that can be configured. */
const tokenLifetimeMaxMs = 31_536_000_000;

export interface EmbeddedRevocationsDeps {
  readonly database: EmbeddedDatabase;
  readonly submit: (job: PutJob) => void;
  readonly wallMs: () => number;
  /** A slot did not verify. */
  readonly onDamage: (key: string) => void;
}

interface Settle {
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export class PutJob implements CommitJob {
  readonly chars: number;
  readonly #key: string;
  readonly #value: string;
  readonly #settle: Settle;

  constructor(key: string, value: string, settle: Settle) {
    this.chars = key.length + value.length;
    this.#key = key;
    this.#value = value;
    this.#settle = settle;
  }

  readsStore(): boolean {
    return false;
  }

  plan(batch: CommitBatch): void {
    batch.put(this.#key, this.#value);
  }

  committed(): void {
    this.#settle.resolve();
  }

  failed(cause: unknown): void {
    this.#settle.reject(cause instanceof Fault ? cause : new Fault('STORE_UNAVAILABLE', 'the revocation was not written', cause));
  }
}

export class EmbeddedRevocations implements Revocations {
  readonly #deps: EmbeddedRevocationsDeps;
  #loading: Promise<RevocationTable> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(deps: EmbeddedRevocationsDeps) {
    this.#deps = deps;
  }

  async add(revocation: Revocation): Promise<void> {
    const refusal = this.#deps.database.refusal();
    if (refusal) throw refusal;
    if (this.#waiting >= waitingMax) throw new Fault('STORE_UNAVAILABLE', 'too many revocations wait to be written');
    this.#waiting += 1;
    // One at a time: a slot is taken only when what stands in it is known to be written.
    const mine = this.#last
      .then(() => this.#write(revocation))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#last = mine.catch(() => {});
    return mine;
  }

  async read(cursor?: string): Promise<RevocationsRead> {
    this.#deps.database.assertServing();
    return (await this.#table()).read(cursor);
  }

  async #write(given: Revocation): Promise<void> {
    const table = await this.#table();
    const { slot, revocation } = table.plan(given);
    await this.#store(slot, revocation);
    table.put(slot, revocation);
  }

  #store(slot: number, revocation: Revocation): Promise<void> {
    const key = revocationKey(slot);
    const value = sealValue(key, encode(revocation));
    return new Promise((resolve, reject) => this.#deps.submit(new PutJob(key, value, { resolve, reject })));
  }

  #table(): Promise<RevocationTable> {
    this.#loading ??= this.#load().catch((cause: unknown) => {
      this.#loading = undefined;
      throw cause;
    });
    return this.#loading;
  }

  async #load(): Promise<RevocationTable> {
    const { database, wallMs, onDamage } = this.#deps;
    const table = new RevocationTable(revocationsMax);
    const rows = await database.read((level) => level.iterator(keysUnder('v!')).all());
    for (const [key, value] of rows) {
      const content = openValue(key, value);
      const slot = seqOfKey(key);
      if (content !== undefined) {
        table.put(slot, decode(content));
        continue;
      }
      onDamage(key);
      const nowMs = wallMs();
      const everybody: Revocation = { of: { everybody: true }, atMs: nowMs, endsAtMs: nowMs + tokenLifetimeMaxMs };
      await this.#store(slot, everybody);
      table.put(slot, everybody);
    }
    return table;
  }
}

type Stored = readonly [kind: 'token' | 'user' | 'everybody', id: string, atMs: number, endsAtMs: number];

function encode({ of, atMs, endsAtMs }: Revocation): string {
  const named: readonly [Stored[0], string] = 'jti' in of ? ['token', of.jti] : 'user' in of ? ['user', of.user] : ['everybody', ''];
  return JSON.stringify([...named, atMs, endsAtMs] satisfies Stored);
}

function decode(content: string): Revocation {
  const [kind, id, atMs, endsAtMs] = JSON.parse(content) as Stored;
  const of: Revoked = kind === 'token' ? { jti: id } : kind === 'user' ? { user: id as UserId } : { everybody: true };
  return { of, atMs, endsAtMs };
}
