/**
 * Which tokens a revocation speaks of, and the table of slots that both twins keep.
 */
import { describe, expect, it } from 'vitest';
import type { UserId } from '../../system/ids.ts';
import { RevocationTable } from '../../system/store/revocation-table.ts';
import { type Revocation, type Revoked, revokes } from '../../system/store/revocations.ts';

const ada = 'ada' as UserId;
const at = (of: Revoked, atMs: number, endsAtMs = atMs + 1_000): Revocation => ({ of, atMs, endsAtMs });

describe('a revocation', () => {
  it.each<[string, Revoked, object, boolean]>([
    ['of a jti: that token, whenever it was issued', { jti: 'j' }, { jti: 'j', issuedAtMs: 9_000 }, true],
    ['of a jti: no other token', { jti: 'j' }, { jti: 'k', issuedAtMs: 1_000 }, false],
    ['of a jti: no token without one', { jti: 'j' }, {}, false],
    ['of a user: what was issued before', { user: ada }, { issuedAtMs: 4_000 }, true],
    ['of a user: what was issued in the same second', { user: ada }, { issuedAtMs: 5_000 }, true],
    ['of a user: not what was issued later', { user: ada }, { issuedAtMs: 6_000 }, false],
    ['of a user: what does not say when', { user: ada }, {}, true],
    ['of a user: nobody else', { user: 'bob' as UserId }, { issuedAtMs: 4_000 }, false],
    ['of everybody: what was issued before', { everybody: true }, { issuedAtMs: 4_000 }, true],
    ['of everybody: not what was issued later', { everybody: true }, { issuedAtMs: 6_000 }, false],
  ])('%s', (_what, of, token, isRevoked) => {
    expect(revokes(at(of, 5_500), { userId: ada, ...token })).toBe(isRevoked);
  });
});

describe('the table of revocations', () => {
  const add = (table: RevocationTable, given: Revocation): number => {
    const { slot, revocation } = table.plan(given);
    table.put(slot, revocation);
    return slot;
  };

  it('refuses when it is full of those that live, says so, and takes again when one has ended', () => {
    const table = new RevocationTable(3);
    expect([1, 2, 3].map((id) => add(table, at({ jti: `${id}` }, 1, id * 100)))).toEqual([0, 1, 2]);
    expect(() => table.plan(at({ jti: '4' }, 99))).toThrow(expect.objectContaining({ code: 'REVOCATIONS_FULL' }));
    // One that is known needs no slot.
    expect(add(table, at({ jti: '3' }, 99, 300))).toBe(2);
    expect(add(table, at({ jti: '4' }, 100))).toBe(0);
    expect(table.size).toBe(3);
    expect(() => table.plan(at({ jti: '5' }, 150))).toThrow();
  });

  it('uses no slot twice, also after slots were read from a store with gaps between them', () => {
    const table = new RevocationTable(10);
    table.put(4, at({ jti: 'a' }, 1, 1e9));
    table.put(1, at({ jti: 'b' }, 1, 1e9));
    const slots = Array.from({ length: 8 }, (_, index) => add(table, at({ jti: `n${index}` }, 2, 1e9)));
    expect(new Set([...slots, 4, 1]).size).toBe(10);
    expect(() => table.plan(at({ jti: 'more' }, 3))).toThrow();
  });

  it('finds the same one in two slots (written anew after a failed write) and keeps the later', () => {
    const table = new RevocationTable(10);
    table.put(0, at({ user: ada }, 5, 1e9));
    table.put(1, at({ user: ada }, 3, 1e9));
    expect(table.read().revocations).toEqual([at({ user: ada }, 5, 1e9)]);
    expect(table.size).toBe(1);
  });
});
