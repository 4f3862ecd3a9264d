/**
 * Many clients that come back to one room at once: who reads the log for whom, and what nobody may be given.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandResult } from '../../actors/client-command.ts';
import { RoomReads } from '../../actors/room-reads.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { create, join, open, send, startStage, stopStages, withOverrides } from '../support/actor-stage.ts';
import { asEntry } from '../support/gateway-fixtures.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const lobby = 'lobby' as RoomId;
afterEach(stopStages);

/** A room of 40 messages of which the room's memory holds the last few, so that who is further behind must be read for. */
async function roomWithPast() {
  const reads: string[] = [];
  const gates: (() => void)[] = [];
  let isGated = false;
  const on = startStage({
    settings: { recentEntriesMax: 4 },
    log: (log) => ({
      read: async (room, range) => {
        reads.push(JSON.stringify(range));
        if (isGated) await new Promise<void>((resolve) => gates.push(resolve));
        return log.read(room, range);
      },
      messages: (room, range, upTo) => {
        reads.push(`page ${JSON.stringify(range)} ${upTo}`);
        return log.messages(room, range, upTo);
      },
    }),
  });
  const alice = on.connect('alice');
  await alice.done(create('lobby'));
  for (let index = 0; index < 40; index += 1) await alice.done(send('lobby', `m${index}`, `text ${index}`));
  reads.length = 0;
  return {
    on,
    alice,
    reads,
    hold: () => {
      isGated = true;
    },
    release: () => {
      isGated = false;
      for (const free of gates.splice(0)) free();
    },
  };
}
const seqsOf = (result: CommandResult): number[] => (result.type === 'opened' ? result.entries.map(({ seq }) => seq) : []);
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a storm of clients that come back to one room', () => {
  it('is served with one read when 500 resume from the same seq at once, and each gets every entry', async () => {
    const { on, reads } = await roomWithPast();
    const clients = Array.from({ length: 500 }, () => on.connect('alice'));
    const answers = await Promise.all(clients.map((client) => client.done(open('lobby', 5))));
    for (const answer of answers) expect(seqsOf(answer)).toEqual(upTo(6, 41));
    expect(reads).toEqual(['{"after":5,"limit":500}']);
  });

  it('is served with that read for a moment longer, though people go on talking; then it is forgotten', async () => {
    const { on, alice, reads } = await roomWithPast();
    await on.connect('alice').done(open('lobby', 5));
    await alice.done(send('lobby', 'new', 'meanwhile'));
    on.clock.advance(1_500);
    const late = on.connect('alice');
    const answer = await late.done(open('lobby', 5));
    expect([...seqsOf(answer), ...late.sink.seqs('lobby')]).toEqual(upTo(6, 42));
    expect(reads).toHaveLength(1);
    on.clock.advance(2_001);
    await turns(3);
    expect(seqsOf(await on.connect('alice').done(open('lobby', 5)))).toEqual(upTo(6, 42));
    expect(reads).toHaveLength(2);
  });

  it('shares the last page too', async () => {
    const { on, reads } = await roomWithPast();
    const answers = await Promise.all(Array.from({ length: 50 }, () => on.connect('alice').done(open('lobby'))));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(reads.filter((read) => read.startsWith('page'))).toHaveLength(1);
  });

  it('never shows a deleted text from a read that was made before the delete', async () => {
    const { on, alice, reads } = await roomWithPast();
    expect(JSON.stringify(await on.connect('alice').done(open('lobby', 5)))).toContain('text 10');
    await alice.done({ type: 'message.delete', room: lobby, cid: 'd' as Cid, target: 12 });
    const after = await on.connect('alice').done(open('lobby', 5));
    expect(JSON.stringify(after)).not.toContain('"text 10"');
    expect(seqsOf(after)).toEqual(upTo(6, 42));
    expect(reads).toHaveLength(2);
  });

  it('does not hand a read under way to who asks after a delete', async () => {
    const { on, alice, reads, hold, release } = await roomWithPast();
    hold();
    const early = on.connect('alice').done(open('lobby', 5));
    await turns(4);
    await alice.done({ type: 'message.delete', room: lobby, cid: 'd' as Cid, target: 12 });
    const late = on.connect('alice').done(open('lobby', 5));
    await turns(4);
    expect(reads).toHaveLength(2);
    release();
    expect(JSON.stringify(await late)).not.toContain('"text 10"');
    await early;
  });

  it('gives everybody who waited for a read that failed a retryable answer, and the next one a read of its own', async () => {
    let isBroken = true;
    const store = openMemoryStore();
    const on = startStage({
      store,
      settings: { recentEntriesMax: 2 },
      log: (log) => ({ read: (room, range) => (isBroken ? Promise.reject(new Error('the disk')) : log.read(room, range)) }),
    });
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    await on.connect('bob').done(join('lobby'));
    for (let index = 0; index < 9; index += 1) await alice.done(send('lobby', `m${index}`, 'x'));
    const answers = await Promise.all(['alice', 'bob' as UserId].map((user) => on.connect(user).ask(open('lobby', 1))));
    for (const answer of answers) expect(answer).toMatchObject({ ok: false, refusal: { code: 'STORE_UNAVAILABLE', retryable: true } });
    isBroken = false;
    expect(seqsOf(await on.connect('alice').done(open('lobby', 1)))).toEqual(upTo(2, 11));
  });
});

describe('shared reads', () => {
  const readsOf = (entries: readonly Entry[]) => {
    const asked: number[] = [];
    const log = withOverrides(openMemoryStore().log, {
      read: async (_room, range) => {
        asked.push('after' in range ? range.after : -1);
        return entries;
      },
    });
    const clock = manualClock();
    return { reads: new RoomReads(log, lobby, clock), clock, asked };
  };

  it('keep at most four results, the latest, and none past its time', async () => {
    const { reads, clock, asked } = readsOf([asEntry({ seq: 1, text: 'x' })]);
    for (const after of [1, 2, 3, 4, 5]) await reads.range(after, 10);
    await reads.range(5, 10);
    await reads.range(2, 10);
    expect(asked).toEqual([1, 2, 3, 4, 5]);
    await reads.range(1, 10);
    expect(asked).toEqual([1, 2, 3, 4, 5, 1]);
    expect(reads.nextEndMs()).toBe(2_000);
    clock.advance(2_000);
    reads.expire(clock.nowMs());
    expect(reads.nextEndMs()).toBeUndefined();
  });

  it('keep what is asked for again and again, but not for ever', async () => {
    const { reads, clock, asked } = readsOf([asEntry({ seq: 1, text: 'x' })]);
    for (let ms = 0; ms < 20_000; ms += 1_000) {
      await reads.range(1, 10);
      clock.advance(1_000);
      reads.expire(clock.nowMs());
    }
    expect(asked).toHaveLength(1);
    await reads.range(1, 10);
    expect(asked).toHaveLength(2);
  });

  it('hold no more text than fits into one frame, and at least one entry', async () => {
    const large = 'x'.repeat(60_000);
    const { reads } = readsOf([1, 2, 3].map((seq) => asEntry({ seq, text: large })));
    expect((await reads.range(0, 10)).map(({ seq }) => seq)).toEqual([1]);
  });
});
