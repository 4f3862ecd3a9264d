/**
 * The contract of Notifier as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import type { Noted, Notifier } from '../../system/directory/notifier.ts';
import type { Told } from '../../system/directory/notifier-memory.ts';
import { room, user } from '../support/entries.ts';
import { waitUntil } from '../support/gateway-client.ts';

export interface NotifierFactory {
  /** `told`: what the service has been told so far. */
  open(): Promise<{ readonly notifier: Notifier; readonly told: () => readonly Told[] }>;
}

const message = (seq: number): Noted => ({
  sender: user('ada'),
  name: 'Ada',
  text: `text ${seq}`,
  room: room('den'),
  kind: 'message',
  seq,
  at: 5,
});

export function notifierContract(factory: NotifierFactory): void {
  it('tells each message once, with who is absent when its turn comes', async () => {
    const { notifier, told } = await factory.open();
    let asked = 0;
    for (let seq = 1; seq <= 20; seq += 1) {
      notifier.note(message(seq), async () => {
        asked += 1;
        return { ids: [user('bob'), user('eve')], more: seq === 20 };
      });
    }
    expect(asked).toBe(0); // Not in the call: that is on the way of an acknowledgement.
    await waitUntil('all are told', () => notifier.counts().sent === 20);
    expect([...told()].sort((a, b) => a.seq - b.seq)).toEqual(
      Array.from({ length: 20 }, (_, i) => ({ ...message(i + 1), absent: { ids: ['bob', 'eve'], more: i === 19 } })),
    );
    await notifier.drain(1_000);
    expect(notifier.counts()).toMatchObject({ waiting: 0, sent: 20, nobody: 0, dropped: 0, refused: 0, late: 0 });
  });

  it('tells nothing when nobody is absent, or when that cannot be found out', async () => {
    const { notifier, told } = await factory.open();
    notifier.note(message(1), async () => ({ ids: [], more: false }));
    notifier.note(message(2), () => Promise.reject(new Error('broken')));
    await waitUntil('both had their turn', () => notifier.counts().nobody + notifier.counts().failed === 2);
    await notifier.drain(1_000);
    expect(told()).toEqual([]);
  });

  it('tells on a drain what waits, and takes nothing after it', async () => {
    const { notifier, told } = await factory.open();
    notifier.note(message(1), async () => ({ ids: [user('bob')], more: false }));
    await notifier.drain(2_000);
    expect(told().map(({ seq }) => seq)).toEqual([1]);
    notifier.note(message(2), async () => ({ ids: [user('bob')], more: false }));
    await notifier.drain(2_000);
    expect([told().length, notifier.counts().waiting]).toEqual([1, 0]);
  });
}
