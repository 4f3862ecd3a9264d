/**
 * When the client library asks for another token, and what it does when it gets none; by a clock that the test moves.
 */
import { describe, expect, it } from 'vitest';
import { ChatError } from '../../gateway/client/chat-error.ts';
import { TokenRefresh } from '../../gateway/client/token-refresh.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

function setUp(random = 0) {
  const clock = manualClock();
  const asked: number[] = [];
  const sent: { readonly token: string; readonly done: (error: ChatError | undefined) => void }[] = [];
  let source: () => Promise<string> = async () => `token-${asked.length}`;
  const refresh = new TokenRefresh({
    timing: { nowMs: clock.nowMs, after: clock.after, random: () => random },
    getToken: () => {
      asked.push(clock.nowMs());
      return source();
    },
    send: (token, done) => sent.push({ token, done }),
  });
  return {
    refresh,
    clock,
    asked,
    sent,
    from: (other: () => Promise<string>) => {
      source = other;
    },
    pass: async (ms: number) => {
      clock.advance(ms);
      await turns(2);
    },
  };
}

describe('a refresh of the token', () => {
  it.each([
    [0, 15_000],
    [0.999, 29_985],
  ])('is tried between a quarter and a half of the time left (chance %d)', async (random, atMs) => {
    const on = setUp(random);
    on.refresh.due(60_000);
    await on.pass(60_000);
    expect(on.asked).toEqual([atMs]);
    expect(on.sent.map(({ token }) => token)).toEqual(['token-1']);
    on.sent[0]?.done(undefined);
    await on.pass(60_000);
    expect(on.asked).toHaveLength(1);
  });

  it('is tried again when the login service or the node fails, ever sooner, and no more when the time is over', async () => {
    const on = setUp();
    on.from(() => Promise.reject(new Error('the login service is down')));
    on.refresh.due(60_000);
    for (let ms = 0; ms < 120_000; ms += 100) await on.pass(100);
    expect(on.asked.slice(0, 2)).toEqual([15_000, 26_250]);
    expect(on.asked[2]).toBeCloseTo(34_700, -3);
    expect(on.asked.length).toBeLessThan(25);
    expect(on.asked.at(-1)).toBeLessThan(60_000);
    const other = setUp();
    other.refresh.due(60_000);
    await other.pass(15_000);
    other.sent[0]?.done(new ChatError('BUSY', 'later', true));
    await other.pass(12_000);
    expect(other.sent).toHaveLength(2);
  });

  it('is not tried again when the token was refused for good', async () => {
    const on = setUp();
    on.refresh.due(60_000);
    await on.pass(15_000);
    on.sent[0]?.done(new ChatError('FORBIDDEN', 'of another user', false));
    await on.pass(60_000);
    expect(on.sent).toHaveLength(1);
  });

  it('is over when the connection is: a token that comes later is not sent, an answer that comes later is not heard', async () => {
    const on = setUp();
    let give: (token: string) => void = () => {};
    on.from(() => new Promise((resolve) => (give = resolve)));
    on.refresh.due(60_000);
    await on.pass(15_000);
    on.refresh.stop();
    give('late');
    await turns(2);
    expect(on.sent).toEqual([]);
    on.from(async () => 'next');
    on.refresh.due(4_000);
    await on.pass(1_000);
    on.refresh.stop();
    on.sent[0]?.done(new ChatError('BUSY', 'later', true));
    await on.pass(60_000);
    expect(on.sent).toHaveLength(1);
    expect(on.clock.pending()).toBe(0);
  });
});
