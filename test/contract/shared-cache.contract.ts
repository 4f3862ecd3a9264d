/**
 * The contract of SharedCache as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import { type SharedCache, valueBytesMax } from '../../system/cluster/shared-cache.ts';
import { waitUntil } from '../support/gateway-client.ts';

export interface CacheFactory {
  /** Two nodes on one cache, empty. `passMs`: lets time go by. */
  open(): Promise<{ readonly a: SharedCache; readonly b: SharedCache; readonly passMs: (ms: number) => Promise<void> }>;
}

export function sharedCacheContract(factory: CacheFactory): void {
  const story = (name: string, tell: (a: SharedCache, b: SharedCache, passMs: (ms: number) => Promise<void>) => Promise<void>): void => {
    it(name, async () => {
      const { a, b, passMs } = await factory.open();
      try {
        await tell(a, b, passMs);
      } finally {
        await Promise.all([a.close(), b.close()]);
      }
    });
  };

  story('what one node puts the other gets, until it runs out', async (a, b, passMs) => {
    expect(await b.get('room:one')).toBeUndefined();
    await a.put('room:one', 'first', 400);
    expect(await b.get('room:one')).toBe('first');
    await b.put('room:one', 'second ☺', 400);
    expect(await a.get('room:one')).toBe('second ☺');
    await passMs(500);
    expect(await a.get('room:one')).toBeUndefined();
  });

  story('what is cleared is given to nobody, and what was looked up before arrives too late', async (a, b, passMs) => {
    await a.put('room:one', 'old', 60_000);
    expect(await b.clear('room:one', 400)).toBe(true);
    expect(await a.get('room:one')).toBeUndefined();
    await a.put('room:one', 'old', 60_000);
    expect(await a.get('room:one')).toBeUndefined();
    await passMs(500);
    await a.put('room:one', 'new', 60_000);
    expect(await b.get('room:one')).toBe('new');
  });

  story('every node hears what is cleared, until it listens no more', async (a, b) => {
    const heard: string[] = [];
    const end = a.onCleared((key) => heard.push(`a ${key}`));
    b.onCleared((key) => heard.push(`b ${key}`));
    await b.clear('community:3', 1_000);
    await waitUntil('both have heard of it', () => heard.includes('a community:3') && heard.includes('b community:3'), 2_000);
    end();
    heard.length = 0;
    await a.clear('room:two', 1_000);
    await waitUntil('b has heard of it', () => heard.includes('b room:two'), 2_000);
    expect(heard).not.toContain('a room:two');
  });

  story('a value that is too large is not kept', async (a) => {
    await a.put('room:large', 'x'.repeat(valueBytesMax + 1), 60_000);
    expect(await a.get('room:large')).toBeUndefined();
  });

  story('a closed one knows nothing and takes nothing', async (a, b) => {
    await a.put('room:one', 'kept', 60_000);
    await a.close();
    expect(await a.get('room:one')).toBeUndefined();
    await a.put('room:one', 'other', 60_000);
    expect(await a.clear('room:one', 1_000)).toBe(false);
    expect(await b.get('room:one')).toBe('kept');
  });
}
