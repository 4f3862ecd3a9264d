/**
 * Nodes with a notification service, a real HTTP server: whom it is told to notify, and that nobody waits for it.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../system/clock.ts';
import { absentIdsMax, type Noted, notesWaitingMax } from '../../system/directory/notifier.ts';
import { createHttpNotifier } from '../../system/directory/notifier-http.ts';
import { createLogger } from '../../system/logger.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import { room, user } from '../support/entries.ts';
import { ask, client, closeClients, connected, type WireReply, waitUntil } from '../support/gateway-client.ts';
import { cuts, drips, floods, hangs, type OutsideService, raw, startOutsideService } from '../support/outside-service.ts';
import { noRates } from '../support/test-config.ts';
import { shared, signToken, startInProcess, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const secret = 'fdZ0r8nqk3WcVt7yPzK1mB5xLhQ9sJ2u';
let service: OutsideService;
beforeEach(async () => {
  service = await startOutsideService(raw(202, {}));
});
afterEach(async () => {
  closeClients();
  await stopNodes();
  await service.stop();
});

const outside = (): Partial<Config> => ({ notifyUrl: `${service.url}/push/new`, notifySecret: secret, notifyTimeoutMs: 300, ...noRates });

async function enter(name: string, { url }: { readonly url: string }): Promise<(event: string, payload: object) => Promise<WireReply>> {
  const socket = await connected(client(url, { auth: { token: signToken(name) } }));
  return (event, payload) => ask(socket, event, payload);
}

/** Resolves when one message was found to concern nobody. */
async function settledForNobody({ url }: { readonly url: string }): Promise<void> {
  const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();
  while (!/playhouse_notifications_total\{[^}]*nobody[^}]*\} 1$/m.test(await metrics())) {
    // The test's own time-out ends it.
  }
}

interface Sent {
  readonly id: string;
  readonly seq: number;
  readonly ids: readonly string[];
}
const sent = (): Sent[] => service.requests.map(({ body }) => body as Sent);

describe('the notification service', () => {
  it('is told of each message once, with the members who are not in that place: on any node', async () => {
    const both = shared();
    const hub = createMemoryStateHub();
    const start = (nodeId: string) =>
      startInProcess(
        { nodeId, ...outside() },
        { parts: { store: both.store, wire: both.hub.join(nodeId), sharedLog: true, link: hub.join(nodeId) } },
      );
    const [first, second] = [await start('one'), await start('two')];
    const ada = await enter('ada', first);
    const [here, there] = [await enter('here', first), await enter('there', second)];
    await enter('elsewhere', second);
    await ada('room:create', { kind: 'group', id: 'den', members: ['here', 'there', 'elsewhere', 'away'] });
    await Promise.all([here('room:open', { room: 'den' }), there('room:open', { room: 'den' })]);
    const seen = new Map<string, readonly string[]>();
    const probe = hub.join('probe');
    probe.listen({ onLive: () => {}, onStates: (states) => void states.map((row) => seen.set(row.user, row.places)) });
    for (const who of ['here', 'there']) probe.watch(user(who));
    await waitUntil('the state server knows where they are', () => ['here', 'there'].every((who) => seen.get(who)?.includes('den')));
    await ada('message:send', { room: 'den', cid: 'c1', text: 'hi' });
    await waitUntil('it is told', () => service.requests.length === 1);
    expect(service.requests[0]).toEqual({
      method: 'POST',
      path: '/push/new',
      authorization: `Bearer ${secret}`,
      idempotencyKey: 'den:2',
      body: {
        ...{ id: 'den:2', room: 'den', seq: 2, kind: 'message', sender: 'ada', name: 'ada', text: 'hi' },
        ...{ time: expect.any(Number), ids: ['elsewhere', 'away'], more: false },
      },
    });
    await there('message:send', { room: 'den', cid: 'c2', text: 'ho', replyTo: 2 });
    await there('message:react', { room: 'den', cid: 'c3', target: 2, emoji: '+', on: true });
    await there('message:modify', { room: 'den', cid: 'c4', target: 3, text: 'hoo' });
    await there('message:send', { room: 'den', cid: 'c2', text: 'ho', replyTo: 2 });
    await ada('message:send', { room: 'den', cid: 'c5', text: 'end' });
    await waitUntil('all is told', () => sent().some(({ seq }) => seq === 6));
    expect(sent().map(({ id }) => id)).toEqual(['den:2', 'den:3', 'den:6']);
    expect(sent()[1]).toMatchObject({ kind: 'reply', sender: 'there', ids: ['ada', 'elsewhere', 'away'] });
  });

  it('is told of so many ids, and that there are more', async () => {
    const node = await startTestNode(outside());
    const ada = await enter('ada', node);
    await ada('room:create', { kind: 'group', id: 'den', public: true });
    for (let i = 0; i < absentIdsMax + 1; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => ada('room:invite', { room: 'den', user: `m${i + j}` })));
    }
    await ada('message:send', { room: 'den', cid: 'c1', text: 'hi' });
    await waitUntil('it is told', () => service.requests.length === 1);
    expect(sent()[0]).toMatchObject({ more: true });
    expect(sent()[0]?.ids).toHaveLength(absentIdsMax);
    expect(sent()[0]?.ids).not.toContain('ada');
  });

  it('is not told when nobody is absent', async () => {
    const node = await startTestNode(outside());
    const ada = await enter('ada', node);
    await ada('room:create', { kind: 'group', id: 'den' });
    await ada('message:send', { room: 'den', cid: 'c1', text: 'hi' });
    // Whom to notify is asked when a message's turn has come: bob is not to be there yet.
    await settledForNobody(node);
    await ada('room:invite', { room: 'den', user: 'bob' });
    await ada('message:send', { room: 'den', cid: 'c2', text: 'ho' });
    await waitUntil('the second is told', () => service.requests.length > 0);
    expect(sent()).toMatchObject([{ id: 'den:4', ids: ['bob'] }]);
  });

  it.each([
    ['hangs', hangs],
    ['cuts every connection', cuts],
    ['drips', drips],
    ['sends without end', floods],
    ['answers 500', raw(500, {})],
    ['redirects', raw(307, { location: 'http://127.0.0.1:1/' })],
  ])('that %s costs a sender nothing', async (_what, answerer) => {
    const [plain, told] = [await startTestNode(noRates), await startTestNode(outside())];
    service.behave(answerer);
    const sendTo = async (node: TestNode) => {
      const ada = await enter('ada', node);
      await ada('room:create', { kind: 'group', id: 'den', members: ['bob'] });
      let last = 0;
      return async (): Promise<number> => {
        const beganMs = performance.now();
        last += 1;
        expect(await ada('message:send', { room: 'den', cid: `c${last}`, text: 'hi' })).toMatchObject({ ok: true });
        return performance.now() - beganMs;
      };
    };
    const [toPlain, toTold] = [await sendTo(plain), await sendTo(told)];
    const differences: number[] = [];
    for (let i = 0; i < 80; i += 1) {
      const [a, b] = i % 2 === 0 ? [await toPlain(), await toTold()] : [await toTold(), await toPlain()].reverse();
      differences.push((b as number) - (a as number));
    }
    const median = differences.sort((a, b) => a - b)[40] as number;
    // A call takes 300 ms here when the service does not answer.
    expect(median).toBeLessThan(5);
    expect(service.requests.length).toBeGreaterThan(0);
    const ready = await fetch(`${told.url}/readyz`);
    expect(ready.status).toBe(200);
  });
});

describe('the notifier', () => {
  const log = createLogger({ level: 'silent', base: {} });
  const open = (timeoutMs = 300) =>
    createHttpNotifier({ url: service.url, secret: undefined, timeoutMs, clock: systemClock, chance: () => 0, log });
  const message = (seq: number): Noted => ({ sender: user('ada'), room: room('den'), kind: 'message', seq, at: 0 });
  const bob = async () => ({ ids: [user('bob')], more: false });

  it.each([
    ['500', raw(500, {})],
    ['429', raw(429, { 'retry-after': '0' })],
    ['408', raw(408, {})],
    ['a redirect', raw(302, { location: 'http://127.0.0.1:1/' })],
    ['no answer', hangs],
    ['a cut', cuts],
  ])('makes the same call again after %s', async (_what, answerer) => {
    service.behave(answerer);
    const notifier = open();
    notifier.note(message(1), bob);
    await waitUntil('it failed', () => notifier.counts().failed > 0);
    expect(notifier.health()).toMatchObject({ degraded: expect.any(String) });
    service.behave(raw(200, {}));
    await waitUntil('it is told', () => notifier.counts().sent === 1);
    expect(new Set(service.requests.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set(['den:1']));
    expect([notifier.health(), notifier.counts().waiting]).toEqual(['up', 0]);
    await notifier.drain(0);
  });

  it.each([400, 401, 404, 413])('does not insist when it is refused with %i', async (status) => {
    service.behave(raw(status, {}));
    const notifier = open();
    notifier.note(message(1), bob);
    await waitUntil('it is refused', () => notifier.counts().refused === 1);
    expect(notifier.counts()).toMatchObject({ waiting: 0, sent: 0, failed: 0 });
    await notifier.drain(0);
    expect(service.requests).toHaveLength(1);
  });

  it('holds ten thousand messages while the service hangs; the oldest go, counted, and a drain ends in time', async () => {
    service.behave(hangs);
    const notifier = open(5_000);
    for (let seq = 1; seq <= notesWaitingMax + 500; seq += 1) notifier.note(message(seq), bob);
    expect(notifier.counts()).toMatchObject({ waiting: notesWaitingMax, dropped: 500 });
    await waitUntil('the service is asked', () => service.requests.length === 8);
    const beganMs = performance.now();
    await notifier.drain(100);
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    expect(notifier.counts().late).toBe(notesWaitingMax - 8);
  });
});
