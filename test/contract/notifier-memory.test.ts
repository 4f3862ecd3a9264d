/** Notifier in memory: the contract, and the built-in one, which tells nobody. */
import { describe, expect, it } from 'vitest';
import { createMemoryNotifier, type Told } from '../../system/directory/notifier-memory.ts';
import { room, user } from '../support/entries.ts';
import { notifierContract } from './notifier.contract.ts';

describe('the notifier in memory', () => {
  notifierContract({
    async open() {
      const told: Told[] = [];
      return { notifier: createMemoryNotifier(told), told: () => told };
    },
  });
});

describe('the built-in notifier', () => {
  it('asks nobody who is absent', async () => {
    const notifier = createMemoryNotifier();
    notifier.note({ sender: user('ada'), room: room('den'), kind: 'message', seq: 1, at: 0 }, () => {
      throw new Error('asked');
    });
    expect(notifier.counts().waiting).toBe(0);
    await notifier.drain(1);
  });
});
