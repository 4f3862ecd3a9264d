/**
 * Killing nodes: one of three is killed with -9 while people on all of them talk and take back what they said, again and again.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../support/store-processes.ts';
import { ClusterStage, servers } from './cluster-stage.ts';
import { Crowd } from './crowd.ts';
import { isFull, realTexts, tell, verdict, withinMs } from './story.ts';

const kills = isFull ? 10 : 3;
const rate = 90;
/** The node stays away for so long, so that its people have to go elsewhere. */
const awayMs = 6_000;
const deletedTexts = ({ database }: ClusterStage): Promise<number> => database.entries.countDocuments({ deleteAt: { $exists: true } });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(servers.mongo === '')('three nodes (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it(`one of them killed ${kills} times with -9: the others' people never wait, its own are back elsewhere, nothing is lost or doubled`, async () => {
    const stage = await ClusterStage.start({ nodes: 3 });
    ends.push(() => stage.stop());
    const crowd = new Crowd({ urls: stage.urls, tokenOf: (user) => stage.tokenOf(user), rooms: 6, perNode: 3, deletesEach: 10 });
    ends.push(() => crowd.end());
    await crowd.gather();
    crowd.talk(rate, await realTexts());
    await pause(2_000);
    const gaps: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      // The fullest one that leaves somebody to notice.
      const counts = stage.urls.map((url) => crowd.peopleOn(url));
      const victim = stage.nodes[counts.indexOf(Math.max(...counts))];
      expect(Math.max(...counts)).toBeLessThan(crowd.members.length);
      const fromMs = performance.now();
      await victim?.kill('SIGKILL');
      await pause(awayMs);
      gaps.push(crowd.longestAckGapMs(fromMs, performance.now()));
      await victim?.start();
      await waitUntil(
        'everybody is connected again',
        () => crowd.members.every(({ client }) => client.isOnline),
        20_000,
        () => stage.dump(),
      );
    }
    await crowd.quiet();
    const waysBack = crowd.members.flatMap(({ waysBackMs }) => waysBackMs);
    const longestMs = Math.max(...waysBack);
    tell(
      `${kills} kills`,
      crowd.figures(),
      `longest time without an ack for the others ${Math.max(...gaps).toFixed(0)} ms, longest way back ${longestMs.toFixed(0)} ms of ${waysBack.length}`,
    );
    expect(crowd.deleted.size).toBeGreaterThan(0);
    // What a killed node hid and did not take out, another one has taken out by then.
    await waitUntil('no deleted text is in the database', async () => (await deletedTexts(stage)) === 0, 15_000);
    expect(await verdict(stage, crowd)).toEqual([]);
    expect(waysBack.length).toBeGreaterThanOrEqual(kills);
    expect(Math.max(...gaps), stage.dump()).toBeLessThanOrEqual(withinMs(300));
    expect(longestMs).toBeLessThanOrEqual(withinMs(5_000));
  });
});
