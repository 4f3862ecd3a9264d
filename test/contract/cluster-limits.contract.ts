/**
 * The contract of ClusterLimits, for any twin: nodes together grant about what one would, and are told of each other's connections.
 */
import { expect, it } from 'vitest';
import type { ClusterLimits, SharedRate } from '../../system/cluster/cluster-limits.ts';

export interface LimitsFactory {
  /** So many nodes of a cluster that nobody else is in, each knowing that the others can be asked. */
  join(nodes: number): Promise<readonly ClusterLimits[]>;
  passMs(ms: number): Promise<void>;
}

const limits = { perSecondMax: 100, burstMax: 100 };

/** Both ask as fast as they can for so long; how often they were let go on. */
export async function hammer(
  rates: readonly SharedRate[],
  key: string,
  forMs: number,
  passMs: (ms: number) => Promise<void>,
): Promise<number> {
  let passed = 0;
  for (let ms = 0; ms < forMs; ms += 20) {
    for (const rate of rates) for (let time = 0; time < 10; time += 1) if (rate.take(key) === undefined) passed += 1;
    await passMs(20);
  }
  return passed;
}

export function clusterLimitsContract({ join, passMs }: LimitsFactory): void {
  it('grants over several nodes about what one would, and a user another one’s rate is none of', async () => {
    const nodes = await join(3);
    const rates = nodes.map((node) => node.rate('user-commands', limits));
    const startedMs = performance.now();
    const passed = await hammer(rates, 'ada', 5_000, passMs);
    const tookMs = Math.max(5_000, performance.now() - startedMs);
    const one = limits.burstMax + (limits.perSecondMax * tookMs) / 1_000;
    expect(passed).toBeGreaterThan(one * 0.8);
    expect(passed).toBeLessThan(one * 1.25);
    for (const rate of rates) expect(rate.take('bob')).toBeUndefined();
  });

  it('says when to come again, and lets it go on then', async () => {
    const [node] = await join(1);
    const rate = (node as ClusterLimits).rate('user-commands', limits);
    let waitMs: number | undefined;
    for (let index = 0; index <= limits.burstMax && waitMs === undefined; index += 1) waitMs = rate.take('ada');
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(100);
    // A timer may be early by a part of a millisecond, and be told so.
    for (let again = 0; again < 5 && waitMs !== undefined; again += 1) {
      await passMs(waitMs);
      waitMs = rate.take('ada');
    }
    expect(waitMs).toBeUndefined();
  });

  it('tells a node how many the others have of what it has itself, and no more once they are gone', async () => {
    const [a, b] = (await join(2)) as [ClusterLimits, ClusterLimits];
    const [seatsOfA, seatsOfB] = [a.seats('user-connections'), b.seats('user-connections')];
    const other = b.seats('address-connections');
    seatsOfA.have('ada', 7);
    expect(seatsOfB.others('ada')).toBe(0);
    await passMs(400);
    seatsOfB.have('ada', 2);
    other.have('ada', 1);
    await passMs(400);
    expect([seatsOfB.others('ada'), other.others('ada'), seatsOfB.others('bob')]).toEqual([7, 0, 0]);
    seatsOfA.askAgain('ada');
    await passMs(400);
    expect(seatsOfA.others('ada')).toBe(2);
    seatsOfA.have('ada', 3);
    await passMs(400);
    seatsOfB.askAgain('ada');
    await passMs(400);
    expect(seatsOfB.others('ada')).toBe(3);
    await a.close();
    await a.close();
    seatsOfB.askAgain('ada');
    await passMs(400);
    expect(seatsOfB.others('ada')).toBe(0);
  });
}
