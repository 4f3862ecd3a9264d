/**
 * Revocations in memory: the twin for tests. Nodes of one process may share it.
 */
import { RevocationTable } from './revocation-table.ts';
import { type Revocation, type Revocations, type RevocationsRead, revocationsMax } from './revocations.ts';
import { closedFault } from './room-log-memory.ts';

export class MemoryRevocations implements Revocations {
  #closed = false;
  readonly #table: RevocationTable;

  constructor(max = revocationsMax) {
    this.#table = new RevocationTable(max);
  }

  async add(revocation: Revocation): Promise<void> {
    this.#assertOpen();
    const planned = this.#table.plan(revocation);
    this.#table.put(planned.slot, planned.revocation);
  }

  async read(cursor?: string): Promise<RevocationsRead> {
    this.#assertOpen();
    return this.#table.read(cursor);
  }

  close(): void {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedFault();
  }
}
