/**
 * RowsJob: rows that are read before their job has its place in the line, and what becomes of them there. The database is a map behind gates.
 */
import { describe, expect, it } from 'vitest';
import { type CommitJob, CommitQueue, type StagedWrites } from '../../system/store/commit-queue.ts';
import type { EmbeddedDatabase } from '../../system/store/embedded-database.ts';
import { PlannedRows, RowsJob } from '../../system/store/rows-job-embedded.ts';
import { markRow, openRow, sealRow } from '../../system/store/user-room-row.ts';
import { turns } from '../support/manual-clock.ts';

interface Gate {
  open(): void;
  fail(): void;
}

function fixture() {
  const stored = new Map<string, string>();
  const reads: Gate[] = [];
  const writes: Gate[] = [];
  const said: string[] = [];
  /** A read sees what is there when it begins, and answers when its gate opens. */
  const database = {
    read: (task: (level: unknown) => Promise<unknown>) => {
      const seen = new Map(stored);
      return new Promise((resolve, reject) =>
        reads.push({
          open: () => resolve(task({ getMany: async (keys: string[]) => keys.map((key) => seen.get(key)) })),
          fail: () => reject(new Error('disk gone')),
        }),
      );
    },
  } as unknown as EmbeddedDatabase;
  const stage = (): StagedWrites => {
    const pairs: [string, string][] = [];
    return {
      put: (key, value) => void pairs.push([key, value]),
      write: () =>
        new Promise((resolve, reject) =>
          writes.push({
            open: () => {
              for (const [key, value] of pairs) stored.set(key, value);
              resolve();
            },
            fail: () => reject(new Error('disk full')),
          }),
        ),
      discard: () => {},
    };
  };
  const queue = new CommitQueue<CommitJob>({ lookUp: () => undefined, stage, nowMs: () => 0 });
  const planned = new PlannedRows();
  const mark = (name: string, key: string, seq: number): void =>
    queue.submit(
      new RowsJob(database, planned, [{ key, apply: (row) => markRow(row, { user: 'ada', seq, n: seq } as never) }], {
        resolve: () => said.push(`${name} kept`),
        reject: (cause) => said.push(`${name}: ${(cause as Error).message}`),
      }),
    );
  const append = (name: string): void =>
    queue.submit({
      chars: 10,
      readsStore: () => false,
      plan: (batch) => batch.put(name, name),
      committed: () => said.push(`${name} kept`),
      failed: () => said.push(`${name} failed`),
    });
  const next = (gates: Gate[]): Gate => gates.shift() as Gate;
  const seqOf = (key: string): number | undefined => openRow(key, stored.get(key))?.readSeq;
  return { stored, reads, writes, said, queue, mark, append, next, seqOf };
}

describe('rows that are changed by what they hold', () => {
  it('hold up no append while they are read', async () => {
    const { mark, append, reads, writes, said, next } = fixture();
    mark('mark', 'k', 5);
    append('append');
    await turns(5);
    next(writes).open();
    await turns(5);
    expect(said).toEqual(['append kept']);
    next(reads).open();
    await turns(5);
    next(writes).open();
    await turns(5);
    expect([said, reads.length]).toEqual([['append kept', 'mark kept'], 0]);
  });

  it('are changed by what was planned for them after they were read, and by what was not durable then', async () => {
    const { mark, reads, writes, said, next, seqOf } = fixture();
    mark('nine', 'k', 9);
    mark('seven', 'k', 7);
    await turns(5);
    const [readOfNine, readOfSeven] = reads.splice(0) as [Gate, Gate];
    readOfNine.open();
    await turns(5);
    mark('eight', 'k', 8); // nine is being written
    readOfSeven.open();
    next(reads).open();
    await turns(5);
    next(writes).open();
    await turns(5);
    while (writes.length > 0) {
      next(writes).open();
      await turns(5);
    }
    expect([said.toSorted(), seqOf('k')]).toEqual([['eight kept', 'nine kept', 'seven kept'], 9]);
  });

  it('are read anew when what was planned for them could not be written', async () => {
    const { mark, reads, writes, said, next, seqOf } = fixture();
    mark('nine', 'k', 9);
    await turns(5);
    next(reads).open();
    await turns(5);
    mark('seven', 'k', 7); // Told of nine, which will not be.
    await turns(5);
    next(writes).fail();
    await turns(5);
    next(reads).open();
    await turns(5);
    next(reads).open();
    await turns(5);
    next(writes).open();
    await turns(5);
    expect([said, seqOf('k')]).toEqual([['nine: the rows were not written', 'seven kept'], 7]);
  });

  it('are asked for again in their place when they could not be read ahead, and are refused when they cannot be read there either', async () => {
    const { mark, append, reads, writes, said, next, seqOf, queue } = fixture();
    mark('one', 'a', 1);
    mark('two', 'b', 2);
    await turns(5);
    next(reads).fail();
    next(reads).fail();
    await turns(5);
    append('append');
    next(reads).open();
    await turns(5);
    next(reads).fail();
    await turns(5);
    next(writes).open();
    await turns(5);
    expect([said, seqOf('a'), seqOf('b')]).toEqual([['two: the rows were not written', 'one kept', 'append kept'], 1, undefined]);
    await queue.whenIdle();
  });

  it('are written only where something is to be changed', async () => {
    const { mark, reads, writes, said, next, stored, seqOf } = fixture();
    stored.set('k', sealRow('k', { pending: false, member: true, seq: 1, joinedSeq: 1, joinedN: 0, readSeq: 6, readN: 6 }));
    mark('five', 'k', 5);
    await turns(5);
    next(reads).open();
    await turns(5);
    expect([said, writes.length, seqOf('k')]).toEqual([['five kept'], 0, 6]);
  });
});
