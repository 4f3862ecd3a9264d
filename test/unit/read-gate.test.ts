/**
 * ReadGate: who may read now, and that memory stays bounded.
 */
import { describe, expect, it } from 'vitest';
import { ReadGate } from '../../actors/read-gate-state.ts';

const ticketOf = (entered: ReturnType<ReadGate['enter']>): number => (typeof entered === 'string' ? Number.NaN : entered.ticket);

describe('ReadGate', () => {
  it('lets each asker in once, and as many as the node takes', () => {
    const gate = new ReadGate({ runningMax: 2, lostAfterMs: 1_000 });
    const first = gate.enter('a', 0);
    expect(gate.enter('a', 0)).toBe('asker');
    expect(typeof gate.enter('b', 0)).toBe('object');
    expect(gate.enter('c', 0)).toBe('node');
    gate.leave('a', ticketOf(first));
    expect(typeof gate.enter('c', 0)).toBe('object');
  });

  it('takes the place of a read that was never answered back, and its late answer takes nobody else out', () => {
    const gate = new ReadGate({ runningMax: 1, lostAfterMs: 1_000 });
    const lost = gate.enter('a', 0);
    expect(gate.enter('b', 999)).toBe('node');
    const again = gate.enter('a', 1_000);
    expect(typeof again).toBe('object');
    gate.leave('a', ticketOf(lost));
    expect(gate.size).toBe(1);
    gate.leave('a', ticketOf(again));
    expect(gate.size).toBe(0);
  });
});
