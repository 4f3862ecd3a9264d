/** SharedCache in memory: the contract, and its bounds. */
import { describe, expect, it } from 'vitest';
import { bytesMax, createMemoryCacheHub, valuesMax } from '../../system/cluster/shared-cache-memory.ts';
import { manualClock } from '../support/manual-clock.ts';
import { sharedCacheContract } from './shared-cache.contract.ts';

describe('the shared cache in memory', () => {
  sharedCacheContract({
    async open() {
      const clock = manualClock();
      const hub = createMemoryCacheHub(clock);
      return { a: hub.join(), b: hub.join(), passMs: async (ms) => clock.advance(ms) };
    },
  });

  it('is shared from the second node on', () => {
    const hub = createMemoryCacheHub(manualClock());
    const first = hub.join();
    expect(first.isShared).toBe(false);
    hub.join();
    expect(first.isShared).toBe(true);
  });

  it('holds so many values, and so many bytes; the one put first goes', async () => {
    const cache = createMemoryCacheHub(manualClock()).join();
    for (let i = 0; i <= valuesMax; i += 1) await cache.put(`room:r${i}`, 'x', 60_000);
    expect([await cache.get('room:r0'), await cache.get('room:r1'), await cache.get(`room:r${valuesMax}`)]).toEqual([undefined, 'x', 'x']);
    const part = 'y'.repeat(bytesMax / 16);
    for (let i = 0; i < 16; i += 1) await cache.put(`room:big${i}`, part, 60_000);
    expect(await cache.get(`room:r${valuesMax}`)).toBeUndefined();
    expect(await cache.get('room:big0')).toBe(part);
    await cache.put('room:more', part, 60_000);
    expect([await cache.get('room:big0'), await cache.get('room:big1')]).toEqual([undefined, part]);
  });
});
