/**
 * Delivery: people on three nodes talk in rooms they share, with everything there, and with each accelerator taken away.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ClusterStage, type StageOptions, servers } from './cluster-stage.ts';
import { Crowd } from './crowd.ts';
import { isFull, realTexts, tell, verdict, withinMs } from './story.ts';

const seconds = isFull ? 60 : 12;
/** Messages a second over all nodes: each is seen by twelve people in its room. */
const rate = 60;

describe.skipIf(servers.mongo === '')('three nodes (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function talkOn(options: Omit<StageOptions, 'nodes'>): Promise<{ stage: ClusterStage; crowd: Crowd }> {
    const stage = await ClusterStage.start({ nodes: 3, ...options });
    ends.push(() => stage.stop());
    const crowd = new Crowd({ urls: stage.urls, tokenOf: (user) => stage.tokenOf(user), rooms: 6, perNode: 4 });
    ends.push(() => crowd.end());
    await crowd.gather();
    crowd.talk(rate, await realTexts());
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    await crowd.quiet();
    return { stage, crowd };
  }

  const cases: readonly (readonly [string, Omit<StageOptions, 'nodes'>, number, boolean])[] = [
    ['Kafka, Redis, tail and links', {}, 250, servers.kafka === '' || servers.redis === ''],
    ['Kafka off', { without: ['kafka'] }, 250, false],
    ['Kafka and Redis off', { without: ['kafka', 'redis'] }, 250, false],
    ['Kafka and the tail off', { without: ['kafka', 'tail'] }, 2_500, false],
    ['the links between nodes cut', { without: ['kafka', 'link'] }, 250, false],
  ];
  for (const [name, options, promisedMs, isSkipped] of cases) {
    it.skipIf(isSkipped)(`with ${name}: everybody on every node gets everything once, in order, p99 within ${promisedMs} ms`, async () => {
      const { stage, crowd } = await talkOn(options);
      const figures = crowd.figures();
      tell(name, figures, `${crowd.sent} messages`);
      expect(await verdict(stage, crowd)).toEqual([]);
      expect(crowd.sent).toBeGreaterThan(seconds * rate * 0.9);
      expect(figures.delivery.p99, stage.dump()).toBeLessThanOrEqual(withinMs(promisedMs));
    });
  }
});
