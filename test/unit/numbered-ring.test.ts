/**
 * A numbered ring is a map of rising numbers, and forgets what was taken.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { NumberedRing } from '../../actors/numbered-ring.ts';
import { seeded } from '../support/store-processes.ts';

describe('a numbered ring', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('answers as a map does, whatever is added and taken in which order (seed %i)', (seed) => {
    const chance = seeded(seed);
    const ring = new NumberedRing<{ readonly of: number }>();
    const map = new Map<number, { readonly of: number }>();
    let number = 0;
    const taken: number[] = [];
    for (let step = 0; step < 4_000; step += 1) {
      const isGrowing = Math.floor(step / 500) % 2 === 0;
      if (chance() < (isGrowing ? 0.7 : 0.2)) {
        number += 1 + Math.floor(chance() * 3); // Not every number is used.
        ring.add(number, { of: number });
        map.set(number, { of: number });
      } else if (map.size > 0) {
        const waiting = [...map.keys()];
        // Mostly the oldest, now and then another one.
        const key = waiting[chance() < 0.8 ? 0 : Math.floor(chance() * waiting.length)] as number;
        expect(ring.take(key)).toEqual({ of: key });
        map.delete(key);
        taken.push(key);
      }
      if (step === 2_500) {
        ring.clear();
        map.clear();
      }
      expect(ring.size).toBe(map.size);
    }
    expect([...ring.values()]).toEqual([...map.values()]);
    for (let asked = 0; asked <= number + 1; asked += 1) expect(ring.get(asked)).toEqual(map.get(asked));
    for (const key of taken) expect(ring.take(key)).toBeUndefined();
    expect(ring.size).toBe(map.size);
  });

  it('points at nothing that was taken', async () => {
    const ring = new NumberedRing<object>();
    ring.add(1, {});
    const passed = (number: number): WeakRef<object> => {
      const value = {};
      ring.add(number, value);
      ring.take(number);
      return new WeakRef(value);
    };
    const gone = Array.from({ length: 200 }, (_, index) => passed(2 + index));
    expect([...ring.values()]).toHaveLength(1);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(gone.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  });
});
