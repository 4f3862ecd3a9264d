/**
 * CommitQueue: the order of planning and writing, and what a failed write takes with it. The disk is a gate.
 */
import { describe, expect, it } from 'vitest';
import { type CommitBatch, type CommitJob, CommitQueue, type StagedWrites } from '../../system/store/commit-queue.ts';
import { turns } from '../support/manual-clock.ts';

interface Disk {
  /** What is being written now. */
  readonly writing: { readonly keys: readonly string[]; succeed(): void; fail(cause: unknown): void } | undefined;
  readonly written: readonly (readonly string[])[];
  readonly discarded: readonly (readonly string[])[];
  nowMs: number;
}

function fixture() {
  const events: string[] = [];
  const written: string[][] = [];
  const discarded: string[][] = [];
  let writing: Disk['writing'];
  const disk = { written, discarded, nowMs: 0 };
  const stage = (): StagedWrites => {
    const keys: string[] = [];
    return {
      put: (key) => void keys.push(key),
      write: () =>
        new Promise((resolve, reject) => {
          expect(writing, 'writes never overlap').toBe(undefined);
          const end = (settle: () => void) => () => {
            writing = undefined;
            settle();
          };
          writing = {
            keys,
            succeed: end(() => {
              written.push(keys);
              resolve();
            }),
            fail: (cause) => end(() => reject(cause))(),
          };
        }),
      discard: () => void discarded.push(keys),
    };
  };
  const queue = new CommitQueue<CommitJob>({ lookUp: () => undefined, stage, nowMs: () => disk.nowMs });
  const job = (name: string, options: { chars?: number; reads?: boolean; plan?: (batch: CommitBatch) => void | Promise<void> } = {}) =>
    queue.submit({
      chars: options.chars ?? 10,
      readsStore: () => options.reads ?? false,
      plan: (batch) => {
        events.push(`plan ${name}`);
        batch.put(name, 'x'.repeat(options.chars ?? 10));
        return options.plan?.(batch);
      },
      committed: () => events.push(`committed ${name}`),
      failed: (cause) => events.push(`failed ${name}: ${String(cause)}`),
    });
  return { queue, job, events, disk, writing: () => writing as NonNullable<Disk['writing']> };
}

describe('a commit queue', () => {
  it('plans what arrives while a batch is written, and writes it in one batch as soon as that one is durable', async () => {
    const { job, events, disk, writing } = fixture();
    job('a');
    await turns();
    job('b');
    await turns();
    job('c');
    await turns();
    expect(events).toEqual(['plan a', 'plan b', 'plan c']);
    expect(writing().keys).toEqual(['a']);
    writing().succeed();
    await turns();
    expect(writing().keys).toEqual(['b', 'c']);
    expect(events.slice(3)).toEqual(['committed a']);
    writing().succeed();
    await turns();
    expect(events.slice(4)).toEqual(['committed b', 'committed c']);
    expect(disk.written).toEqual([['a'], ['b', 'c']]);
  });

  it('fails what was planned behind a write that fails, writes nothing of it, and plans later jobs anew', async () => {
    const { job, events, disk, writing } = fixture();
    job('a');
    await turns();
    job('b');
    await turns();
    writing().fail('disk full');
    job('c');
    await turns();
    expect(events).toEqual(['plan a', 'plan b', 'failed a: disk full', 'failed b: disk full', 'plan c']);
    expect(disk.discarded).toEqual([['b']]);
    writing().succeed();
    await turns();
    expect(disk.written).toEqual([['c']]);
  });

  it('lets a job that reads wait until what was planned before it is durable, and those behind it wait too', async () => {
    const { job, events, writing } = fixture();
    let read = (): void => {};
    job('a');
    await turns();
    job('reader', { reads: true, plan: () => new Promise((resolve) => (read = resolve)) });
    job('b');
    await turns();
    expect(events).toEqual(['plan a']);
    writing().succeed();
    await turns();
    expect(events).toEqual(['plan a', 'committed a', 'plan reader']);
    read();
    await turns();
    expect(writing().keys).toEqual(['reader', 'b']);
    writing().succeed();
    await turns();
    expect(events.slice(3)).toEqual(['plan b', 'committed reader', 'committed b']);
  });

  it.each([
    ['at once', () => Promise.reject(new Error('cannot read'))],
    ['after a read', () => turns().then(() => Promise.reject(new Error('cannot read')))],
  ])('takes nothing of a job whose plan throws %s, and the others go on', async (_when, plan) => {
    const { job, events, writing } = fixture();
    job('a');
    job('broken', { reads: true, plan });
    const seen: unknown[] = [];
    job('b', { plan: (batch) => void seen.push(batch.find('a'), batch.find('broken'), batch.keysUnder('b')) });
    await turns(20);
    expect(seen).toEqual(['x'.repeat(10), undefined, ['b']]);
    expect(writing().keys).toEqual(['a', 'b']);
    writing().succeed();
    await turns();
    expect(events.filter((event) => !event.startsWith('plan'))).toEqual([
      'failed broken: Error: cannot read',
      'committed a',
      'committed b',
    ]);
  });

  it('sends the first part of many off at once where the disk is fast, and waits for all of them where it is slow', async () => {
    const { job, disk, writing } = fixture();
    for (let i = 0; i < 20; i += 1) {
      job(`fast-${i}`);
      await turns();
      disk.nowMs += 0.2;
      writing().succeed();
      await turns();
    }
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) job(name, { chars: 20_000 });
    await turns();
    expect(writing().keys).toEqual(['a', 'b']);
    writing().succeed();
    await turns();
    expect(writing().keys).toEqual(['c', 'd']);
    disk.nowMs += 20;
    writing().succeed();
    await turns();
    for (const name of names) job(name, { chars: 20_000 });
    await turns();
    expect(writing().keys).toEqual(['a', 'b', 'c', 'd']);
    writing().succeed();
  });

  it('ends a batch at 1 MB, and takes a larger job alone', async () => {
    const { job, disk, writing } = fixture();
    job('first');
    await turns();
    for (const name of ['a', 'b', 'c']) job(name, { chars: 500_000 });
    job('large', { chars: 3_000_000 });
    job('d');
    await turns();
    while (writing()) {
      writing().succeed();
      await turns();
    }
    expect(disk.written).toEqual([['first'], ['a', 'b'], ['c'], ['large'], ['d']]);
  });

  it('refuses more than 32 MB of waiting jobs at once, and takes jobs again when they are written', async () => {
    const { queue, job, events, writing } = fixture();
    for (let i = 0; i < 5; i += 1) job(`large-${i}`, { chars: 8_000_000 });
    expect(events).toEqual([expect.stringMatching(/^failed large-4: Fault: the queue to the disk is full/)]);
    const idle = queue.whenIdle();
    await turns();
    while (writing()) {
      writing().succeed();
      await turns();
    }
    await idle;
    job('again');
    await turns();
    expect(writing().keys).toEqual(['again']);
  });
});
