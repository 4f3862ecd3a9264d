/**
 * What makes a benchmark believable: the load process notices every wrong delivery, and the figures are what they say.
 */
import { describe, expect, it } from 'vitest';
import { LoadRoom, type Member, newTally } from '../bench/load-room.ts';
import { climb, Latencies, ratiosOf, spreadOf } from '../bench/stats.ts';

const roomOfTwo = (mayClose = false) => {
  const room = new LoadRoom('r', mayClose);
  const [first, second]: [Member, Member] = [
    { room, cursor: 0 },
    { room, cursor: 0 },
  ];
  room.members.push(first, second);
  const tally = newTally();
  const receive = (member: Member, frame: unknown): void => {
    const data = Buffer.from(JSON.stringify(frame));
    room.receive(member, data, 0, data.length, tally);
  };
  return { room, first, second, tally, receive };
};
const entries = (seqs: readonly number[], room = 'r', text = '1.00 hello') => [
  'entries',
  { room, entries: seqs.map((seq) => ({ seq, text })) },
];

describe('the load process', () => {
  it('counts each entry for each member, and knows who is behind', () => {
    const { room, first, second, tally, receive } = roomOfTwo();
    receive(first, entries([1, 2]));
    receive(second, entries([1, 2]));
    receive(first, entries([3]));
    room.headSeq = 3;
    expect(tally.violations).toEqual([]);
    expect(tally.deliveries).toBe(5);
    expect(room.behind()).toBe(1);
  });

  it.each([
    ['a hole', entries([1, 3])],
    ['an entry twice', entries([1, 1])],
    ['the wrong order', entries([2, 1])],
    ['an entry of another room', entries([1], 'other')],
    ['an entry without its text', entries([1], 'r', '')],
    ['being closed', ['closing', { code: 'SLOW_CONSUMER' }]],
    ['being put out of the room', ['room:gone', { room: 'r', reason: 'unavailable' }]],
  ])('notices %s', (_what, frame) => {
    const { first, tally, receive } = roomOfTwo();
    receive(first, frame);
    expect(tally.violations).not.toEqual([]);
  });

  it('notices when one member gets other bytes than the one before, even of the same length', () => {
    const { first, second, tally, receive } = roomOfTwo();
    receive(first, entries([1, 2]));
    receive(second, entries([1, 3]));
    expect(tally.violations).toEqual(['r: seq 3 came after 1']);
  });

  it('checks a page read after coming back like a frame, and goes on behind it', () => {
    const { room, first, tally, receive } = roomOfTwo(true);
    receive(first, entries([1]));
    receive(first, ['closing', { code: 'SLOW_CONSUMER' }]);
    room.receivePage(first, [{ seq: 2 }, { seq: 3 }], tally);
    receive(first, entries([4]));
    expect(tally.violations).toEqual([]);
    room.receivePage(first, [{ seq: 6 }], tally);
    expect(tally.violations).toEqual(['r: seq 6 came after 4']);
  });
});

describe('the figures', () => {
  it('take the ratio of each round, not of the medians', () => {
    expect(spreadOf(ratiosOf([10, 40, 90], [10, 20, 30])).median).toBe(2);
    expect(() => ratiosOf([1], [1, 2])).toThrow('1 rounds against 2');
  });

  it('never show a latency as better than it was', () => {
    const latencies = new Latencies();
    for (const ms of [0.05, 1, 5.02, 99.99, 2_503, 100_000]) latencies.add(ms);
    expect([0.01, 0.5, 0.66, 0.83, 1].map((share) => latencies.percentile(share))).toEqual([0.1, 5.1, 100, 2_510, 60_010]);
  });

  it('of a climb are the highest healthy step: down from a start that is too high, up until a step fails twice', async () => {
    const tried: number[] = [];
    const capacity =
      (limit: number, lucky: readonly number[] = []) =>
      (rate: number) => {
        tried.push(rate);
        return Promise.resolve({ rate, healthy: rate <= limit || (lucky.includes(tried.length) && rate <= 2 * limit) });
      };
    const down = await climb(800, 2, 50, capacity(250));
    expect(tried).toEqual([800, 400, 200, 400, 400]);
    expect([down.best?.rate, down.firstUnhealthy?.rate]).toEqual([200, 400]);
    tried.length = 0;
    const up = await climb(100, 2, 50, capacity(250, [4]));
    expect(tried).toEqual([100, 200, 400, 400, 800, 800]);
    expect(up.best?.rate).toBe(400);
    expect((await climb(100, 2, 50, capacity(10))).best).toBeUndefined();
  });
});
