/**
 * Enumeration: a room that is not there and one that is not yours answer the same bytes in the same time, so nobody learns by asking which
 * rooms there are. Also with a community service, which is asked about both.
 */
import { afterEach, expect, it } from 'vitest';
import { ask, client, closeClients, connected, type WireReply } from '../support/gateway-client.ts';
import { members, routes, startOutsideService } from '../support/outside-service.ts';
import { noRates } from '../support/test-config.ts';
import { signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

const outside: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  closeClients();
  await stopNodes();
  for (const service of outside.splice(0)) await service.stop();
});

const questions: readonly (readonly [event: string, payload: object])[] = [
  ['room:join', {}],
  ['room:open', {}],
  ['room:open', { since: 1 }],
  ['history:get', { before: 10 }],
  ['message:send', { text: 'hi', cid: 'c1' }],
  ['room:leave', {}],
  ['room:invite', { user: 'eve' }],
  ['room:kick', { user: 'owner' }],
  ['read:mark', { seq: 1 }],
  ['typing', {}],
];
const pairs = 41;
const differenceMaxMs = 10;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

it.each(['alone', 'with a community service'])(
  'a node %s says nothing of rooms that are not yours, not even by the time it takes',
  async (kind) => {
    let directoryUrl: string | undefined;
    if (kind !== 'alone') {
      const service = await startOutsideService(routes({ '/room/feign/den-3/member-id': members('somebody') }));
      outside.push(service);
      directoryUrl = service.url;
    }
    const node = await startTestNode({ ...noRates, ...(directoryUrl !== undefined && { directoryUrl }) });
    const enter = async (user: string) => {
      const socket = await connected(client(node.url, { auth: { token: signToken(user) } }));
      return (event: string, payload: object): Promise<WireReply> => ask(socket, event, payload);
    };
    const [owner, stranger] = [await enter('owner'), await enter('stranger')];
    // Many, as there are many that are not: each is asked about for the first time, as a guesser would.
    for (let i = 0; i < pairs; i += 1) {
      await owner('room:create', { kind: 'group', id: `den-${i}`, members: ['bob', 'cid'] });
      await owner('message:send', { room: `den-${i}`, cid: 'c1', text: 'hi' });
    }
    for (const [event, payload] of questions) {
      const timed = async (room: string): Promise<readonly [answer: string, tookMs: number]> => {
        const beganMs = performance.now();
        const answer = JSON.stringify(await stranger(event, { ...payload, room }));
        return [answer, performance.now() - beganMs];
      };
      const differences: number[] = [];
      const answers = new Set<string>();
      for (let i = 0; i < pairs; i += 1) {
        // What comes second finds a warmer machine: each is second as often as the other.
        const isFirst = i % 2 === 0;
        const first = await timed(isFirst ? `den-${i}` : `none-${i}`);
        const second = await timed(isFirst ? `none-${i}` : `den-${i}`);
        const [there, notThere] = isFirst ? [first, second] : [second, first];
        differences.push(there[1] - notThere[1]);
        answers.add(there[0]).add(notThere[0]);
      }
      expect([event, [...answers]]).toEqual([event, [expect.any(String)]]);
      expect(Math.abs(median(differences)), `${event} ${JSON.stringify(payload)}`).toBeLessThan(differenceMaxMs);
    }
  },
  120_000,
);
