/**
 * Commands of all clients together: a node that cannot keep up says so before it takes more, and nobody is closed for it.
 */
import { afterEach, expect, it } from 'vitest';
import type { Answer } from '../../actors/client-command.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { startTestGateway, type TestGateway, tokenOf } from '../support/gateway-fixtures.ts';

let gateway: TestGateway;
afterEach(async () => {
  closeClients();
  await gateway.server.close(200);
});

const commandsMax = 160;
const done: Answer = { ok: true, result: { type: 'done' } };
const connect = (user: string) => connected(client(gateway.url, { auth: { token: tokenOf(user) } }));
/** Takes every command and answers none until it is told to. */
function hold(): ((answer: Answer) => void)[] {
  const held: ((answer: Answer) => void)[] = [];
  gateway.answer = (_command, reply) => {
    held.push(reply);
    return 'accepted';
  };
  return held;
}

it('a full node answers BUSY, takes the next when one was answered, and closes nobody', async () => {
  gateway = await startTestGateway({ commandsWaitingMax: commandsMax, userConnectionsMax: 1_000, connectionsMax: 1_000 });
  const held = hold();
  const sockets = await Promise.all(Array.from({ length: commandsMax }, (_, index) => connect(`user-${index}`)));
  const first = sockets.map((socket) => ask(socket, 'typing', { room: 'r' }));
  await waitUntil('every connection has a command waiting', () => held.length === commandsMax);
  const [one] = sockets as [(typeof sockets)[0]];
  expect(await ask(one, 'typing', { room: 'r' })).toMatchObject({ ok: false, error: { code: 'BUSY', retryable: true, retryAfterMs: 500 } });
  const newcomer = await connect('newcomer');
  expect(await ask(newcomer, 'typing', { room: 'r' })).toMatchObject({ ok: false, error: { code: 'BUSY' } });
  held.shift()?.(done);
  const again = ask(newcomer, 'typing', { room: 'r' });
  await waitUntil('the next is taken', () => held.length === commandsMax);
  for (const reply of held) reply(done);
  expect((await Promise.all([...first, again])).every(({ ok }) => ok)).toBe(true);
  expect(gateway.seen.every(({ gone }) => gone === 0)).toBe(true);
  expect(gateway.lines.join()).toContain('"kind":"commands"');
});

it('one that floods has at most its share of what is free, and the others are served', async () => {
  gateway = await startTestGateway({ commandsWaitingMax: commandsMax });
  const held = hold();
  const [loud, quiet] = [await connect('loud'), await connect('quiet')];
  const replies = Array.from({ length: 4 * commandsMax }, () => ask(loud, 'typing', { room: 'r' }));
  const mine = ask(quiet, 'typing', { room: 'r' });
  await waitUntil('both have commands waiting', () => gateway.seen.every(({ commands }) => commands.length > 0));
  expect(gateway.seen[0]?.commands.length).toBeLessThanOrEqual(commandsMax / 16);
  gateway.answer = (_command, reply) => {
    reply(done);
    return 'accepted';
  };
  for (const reply of held) reply(done);
  expect((await mine).ok).toBe(true);
  const answers = await Promise.all(replies);
  expect(answers.filter(({ ok }) => !ok).every(({ error }) => error?.code === 'BUSY')).toBe(true);
});
