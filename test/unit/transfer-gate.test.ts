/** TransferGate: places for uploads and downloads. */
import { describe, expect, it } from 'vitest';
import { TransferGate } from '../../gateway/transfer-gate.ts';

const entered = (gate: TransferGate, user: string): (() => void) => {
  const leave = gate.enter(user);
  if (typeof leave !== 'function') throw new Error(leave.code);
  return leave;
};

describe('a gate for transfers', () => {
  it('lets in so many of one user and so many on the node, and says which is full', () => {
    const gate = new TransferGate({ what: 'downloads', perUserMax: 2, nodeMax: 3 });
    const leave = entered(gate, 'ada');
    entered(gate, 'ada');
    expect(gate.enter('ada')).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_000 });
    entered(gate, 'bob');
    expect(gate.enter('eve')).toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
    expect(gate.refused).toBe(2);
    leave();
    entered(gate, 'eve');
    expect(gate.size).toBe(3);
  });

  it('takes a place back once, however often it is given back', () => {
    const gate = new TransferGate({ what: 'uploads', perUserMax: 1, nodeMax: 9 });
    const leave = entered(gate, 'ada');
    entered(gate, 'bob');
    leave();
    leave();
    expect(gate.size).toBe(1);
    entered(gate, 'ada');
    expect(gate.enter('ada')).toMatchObject({ code: 'RATE_LIMITED' });
  });
});
