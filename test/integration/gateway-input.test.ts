/**
 * Whatever a client sends over a real socket: refused by name, nobody else hurt, nothing invalid let in.
 */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClientCommand } from '../../actors/client-command.ts';
import { type CommandEvent, commandTypes } from '../../gateway/client-protocol.ts';
import { commandFields } from '../../gateway/command-decoder.ts';
import { ask, client, closeClients, connected, sendRaw, type WireReply, waitUntil } from '../support/gateway-client.ts';
import { startTestGateway, type TestGateway, tokenOf } from '../support/gateway-fixtures.ts';
import { badValues, validPayloads } from '../support/gateway-payloads.ts';

const events = Object.keys(commandTypes) as CommandEvent[];
let gateway: TestGateway;
const uncaught: unknown[] = [];
const onUncaught = (error: unknown) => uncaught.push(error);

beforeAll(async () => {
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  gateway = await startTestGateway();
});
afterEach(() => {
  closeClients();
  expect(uncaught).toEqual([]);
  expect(gateway.lines.filter((line) => line.includes('gateway.bug'))).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
afterAll(async () => {
  await gateway.server.close(100);
  process.off('uncaughtException', onUncaught);
  process.off('unhandledRejection', onUncaught);
});

const connect = (user = 'mallory', transports: ('websocket' | 'polling')[] = ['websocket']) =>
  connected(client(gateway.url, { auth: { token: tokenOf(user) }, transports }));

/** Written apart from the decoder on purpose: what a session may rely on. */
function isSound(command: ClientCommand): boolean {
  const id = (value: unknown) =>
    value === undefined || (typeof value === 'string' && /^[\w-]{1,64}$/.test(value) && value.length === [...value].length);
  const seq = (value: unknown) => value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0);
  const fields = command as unknown as Record<string, unknown>;
  const range = (fields['range'] ?? {}) as Record<string, unknown>;
  return (
    Object.getPrototypeOf(fields) === Object.prototype &&
    ['room', 'user', 'cid', 'id', 'community'].every((name) => id(fields[name])) &&
    ['since', 'replyTo', 'target'].every((name) => seq(fields[name])) &&
    Object.values(range).every(seq) &&
    (fields['text'] === undefined ||
      (typeof fields['text'] === 'string' && fields['text'] !== '' && Buffer.byteLength(fields['text']) <= 16_384)) &&
    (fields['members'] === undefined ||
      (Array.isArray(fields['members']) && fields['members'].length <= 100 && fields['members'].every(id))) &&
    Object.keys(fields).every((key) => !['__proto__', 'constructor', 'polluted', 'sender'].includes(key)) &&
    JSON.stringify(fields).length < 100_000
  );
}

// ---- generated attacks ----

interface Attack {
  readonly event: string;
  /** Made when sent: the library that generates cases prints them, and overflows its stack at the deep ones. */
  readonly args: () => readonly unknown[];
  /** What the message must hold; undefined: the case may be valid by chance. */
  readonly names?: string;
  readonly codes: readonly string[];
  readonly hit?: string;
}
const invalid = ['INVALID'];
const payloadOf = (event: CommandEvent) => fc.constantFrom(...validPayloads[event]);
const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
const anyEvent = fc.constantFrom(...events);

const badField: fc.Arbitrary<Attack> = fc
  .constantFrom(...events.flatMap((event) => commandFields[event].map((field) => ({ event, field }))))
  .chain(({ event, field }) =>
    fc.constantFrom(...(badValues[field] ?? [])).map((bad) => {
      const payload = validPayloads[event].find((candidate) => Object.hasOwn(candidate, field)) ?? {};
      return {
        event,
        args: () => [{ ...payload, [field]: bad }],
        names: field,
        codes: [...invalid, 'PAYLOAD_TOO_LARGE'],
        hit: `${event}.${field}`,
      };
    }),
  );
const forbiddenKey = (event: CommandEvent, payload: object, key: string, at: string): Attack => {
  const poison = `"${key}":{"polluted":true,"prototype":{"polluted":true}}`;
  const text = JSON.stringify(payload).slice(1);
  const own = JSON.parse(`{${poison}${text === '}' ? '' : ','}${text}`) as object;
  return { event, args: () => [at === 'top' ? own : { ...payload, extra: [own] }], names: `unknown field "${key}"`, codes: invalid };
};
const keys = fc
  .tuple(anyEvent, fc.constantFrom('__proto__', 'constructor', 'prototype'), fc.constantFrom('top', 'deep'))
  .chain(([event, key, at]) => payloadOf(event).map((payload) => forbiddenKey(event, payload, key, at)));
const unknownKey = fc
  .tuple(anyEvent, fc.string({ maxLength: 20 }))
  .filter(([event, key]) => !commandFields[event].includes(key) && !['__proto__', 'constructor', 'prototype'].includes(key))
  .chain(([event, key]) =>
    payloadOf(event).map((payload): Attack => ({ event, args: () => [{ ...payload, [key]: 1 }], names: 'unknown field', codes: invalid })),
  );
const bomb = fc.tuple(anyEvent, fc.constantFrom(9, 50, 1_000, 3_000)).map(
  ([event, depth]): Attack => ({
    event,
    args: () => [{ ...validPayloads[event][0], extra: nested(depth) }],
    names: 'nested deeper than 8',
    codes: invalid,
  }),
);
const wide = fc.tuple(anyEvent, fc.integer({ min: 513, max: 5_000 })).map(
  ([event, width]): Attack => ({
    event,
    args: () => [Array.from({ length: width }, () => 0)],
    names: 'more than 512 values',
    codes: invalid,
  }),
);
const binary = anyEvent.map(
  (event): Attack => ({ event, args: () => [{ ...validPayloads[event][0], room: Buffer.from('room') }], names: 'binary', codes: invalid }),
);
const arity = fc
  .tuple(anyEvent, fc.array(fc.jsonValue(), { minLength: 1, maxLength: 4 }))
  .chain(([event, more]) =>
    payloadOf(event).map((payload): Attack => ({ event, args: () => [payload, ...more], names: 'payload', codes: invalid })),
  );
const unknownEvent = fc
  .tuple(
    fc.oneof(fc.constantFrom('error', 'message', '__proto__', 'constructor', 'toString', 'room:Open', ''), fc.string({ maxLength: 30 })),
    fc.jsonValue(),
  )
  .filter(
    ([event]) =>
      !Object.hasOwn(commandTypes, event) && !/^(connect|connect_error|disconnect|disconnecting|newListener|removeListener)$/.test(event),
  )
  .map(([event, payload]): Attack => ({ event, args: () => [payload], names: 'known events', codes: ['UNKNOWN_EVENT'] }));
const notAnObject = anyEvent.chain((event) =>
  fc
    .oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.jsonValue(), { maxLength: 3 }))
    .map((payload): Attack => ({ event, args: () => [payload], names: 'payload', codes: invalid })),
);
const anything = fc
  .tuple(anyEvent, fc.object({ maxDepth: 3 }))
  .map(([event, payload]): Attack => ({ event, args: () => [JSON.parse(JSON.stringify(payload) ?? 'null')], codes: invalid }));

const attack = fc.oneof(
  { weight: 8, arbitrary: badField },
  ...[keys, unknownKey, bomb, wide, binary, arity, unknownEvent, notAnObject, anything].map((arbitrary) => ({ weight: 1, arbitrary })),
);

describe('a gateway under 12,000 hostile events', () => {
  it('answers each with the code, the field and the rule; hits every field of every command; lets nothing invalid in', async () => {
    const mallory = await connect();
    const bystander = await connect('bob');
    const hits = new Set<string>();
    let cases = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(attack, { minLength: 100, maxLength: 100 }), async (attacks) => {
        const replies = await Promise.all(attacks.map(({ event, args }) => ask(mallory, event, ...args())));
        for (const [at, reply] of replies.entries()) {
          const { names, codes, hit, event } = attacks[at] as Attack;
          cases += 1;
          if (hit) hits.add(hit);
          if (reply.ok && names === undefined) continue;
          const isRight = reply.error?.retryable === false && codes.includes(reply.error.code) && reply.error.message.includes(names ?? '');
          if (!isRight) expect.fail(`${event} should say ${names}: ${JSON.stringify(reply)}`);
        }
        expect(await ask(bystander, 'typing', { room: 'r' })).toEqual({ ok: true });
      }),
      { numRuns: 120, endOnFailure: true, verbose: 0 },
    );
    expect(cases).toBeGreaterThanOrEqual(10_000);
    expect([...hits].sort()).toEqual(events.flatMap((event) => commandFields[event].map((field) => `${event}.${field}`)).sort());
    for (const { commands } of gateway.seen) expect(commands.filter((command) => !isSound(command))).toEqual([]);
    expect(mallory.connected && bystander.connected).toBe(true);
  }, 60_000);

  it('does not execute what nobody waits for: no acknowledgement, or something else in its place', async () => {
    const mallory = await connect();
    const seen = gateway.seen.at(-1);
    for (const event of events) {
      const payload = validPayloads[event][0];
      mallory.emit(event, payload);
      mallory.emit(event);
      for (const notAck of ['ack', 7, null, {}, { _callbacks: [] }]) mallory.emit(event, payload, notAck);
    }
    for (const raw of [
      '2[]',
      '2[7]',
      '2[7,{}]',
      '2["typing"]',
      '2["error"]',
      '2["error",{"message":"x"}]',
      '29999999999999999999999["typing",{"room":"r"}]',
    ])
      sendRaw(mallory, raw);
    sendRaw(mallory, '30["an ack nobody asked for"]');
    sendRaw(mallory, '3999["another"]');
    if (mallory.connected) expect(await ask(mallory, 'room:list').catch(() => 'gone')).toBeDefined();
    expect(seen?.commands.filter((command) => command.type !== 'room.list' && command.type !== 'typing')).toEqual([]);
    expect((await ask(await connect('bob'), 'typing', { room: 'r' })).ok).toBe(true);
  });

  it.each([
    ...['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map((name) => `21["${name}",{}]`),
    '2',
    '2{}',
    '2"typing"',
    '2[null]',
    '2[{}]',
    '2[["typing"]]',
    '9["typing"]',
    '51-["typing",{"_placeholder":true,"num":0}]',
    '51-["typing",{"_placeholder":true,"num":7}]',
    '599-["typing",{"_placeholder":true,"num":0}]',
    '5-["typing"]',
    '2/other,["typing",{}]',
    '0{"token":"again"}',
    '0/admin,{"token":"x"}',
    '4{"message":"x"}',
    '1',
    `2["typing",${'['.repeat(30_000)}${']'.repeat(30_000)}]`,
    `51-["typing",${'['.repeat(15_000)}{"_placeholder":true,"num":0}${']'.repeat(15_000)}]`,
  ])('survives the raw packet %.40s…', async (packet) => {
    const bystander = await connect('bob');
    const mallory = await connect();
    sendRaw(mallory, packet);
    sendRaw(mallory, Buffer.from('binary'));
    sendRaw(mallory, '2["typing",{"room":"r"}]');
    expect((await ask(bystander, 'typing', { room: 'r' })).ok).toBe(true);
    expect(bystander.connected).toBe(true);
  });

  it('closes the one connection whose frame is larger than 64 kB', async () => {
    for (const transport of ['websocket', 'polling'] as const) {
      const bystander = await connect('bob', [transport]);
      const mallory = await connect('mallory', [transport]);
      const seen = gateway.seen.at(-1);
      mallory.emit('message:send', { room: 'r', cid: 'c', text: 'x'.repeat(65_536) }, () => undefined);
      await waitUntil('the connection is gone', () => seen?.gone === 1 && mallory.disconnected);
      expect((await ask(bystander, 'typing', { room: 'r' })).ok).toBe(true);
      expect(seen?.commands).toEqual([]);
    }
  });

  it('says PAYLOAD_TOO_LARGE with the limit to an honest mistake of 17 kB', async () => {
    const reply = await ask(await connect(), 'message:send', { room: 'r', cid: 'c', text: 'x'.repeat(17_000) });
    expect(reply.error).toEqual({
      code: 'PAYLOAD_TOO_LARGE',
      message: 'text has 17000 bytes of UTF-8; the limit is 16384',
      retryable: false,
      limit: 16_384,
    });
  });

  it('passes each valid command on, with and without a payload for room:list', async () => {
    const ada = await connect('ada');
    const seen = gateway.seen.at(-1);
    for (const event of events) for (const payload of validPayloads[event]) expect(await ask(ada, event, payload)).toEqual({ ok: true });
    expect(await ask(ada, 'room:list')).toEqual({ ok: true });
    expect(seen?.identity).toMatchObject({ userId: 'ada', name: 'ada' });
    expect(new Set(seen?.commands.map(({ type }) => type))).toEqual(new Set(Object.values(commandTypes)));
  });
});

describe('a session that misbehaves or is busy', () => {
  const withAnswer = async (answer: TestGateway['answer'], then: (replyTo: (event: string) => Promise<WireReply>) => Promise<void>) => {
    const usual = gateway.answer;
    gateway.answer = answer;
    const ada = await connect('ada');
    try {
      await then((event) => ask(ada, event, validPayloads[event as CommandEvent][0]));
      expect(ada.connected).toBe(true);
    } finally {
      gateway.answer = usual;
    }
  };

  it('is answered BUSY when its queue is full', async () => {
    await withAnswer(
      () => 'refused',
      async (replyTo) => expect((await replyTo('typing')).error).toMatchObject({ code: 'BUSY', retryable: true, retryAfterMs: 500 }),
    );
  });

  it('may reply late, and twice: the client hears the first', async () => {
    let replies = 0;
    await withAnswer(
      (_command, reply) => {
        setTimeout(() => {
          reply({ ok: true, result: { type: 'stored', seq: 7, at: 1, dup: false } });
          reply({ ok: true, result: { type: 'done' } });
          replies += 2;
        }, 5);
        return 'accepted';
      },
      async (replyTo) => expect(await replyTo('message:send')).toEqual({ ok: true, seq: 7, at: 1 }),
    );
    expect(replies).toBe(2);
  });

  it('may crash: INTERNAL to this client, a line in the log, nobody else notices', async () => {
    await withAnswer(
      () => {
        throw new Error('a bug of the session');
      },
      async (replyTo) =>
        expect((await replyTo('typing')).error).toMatchObject({
          code: 'INTERNAL',
          message: 'the server failed; send again with the same cid',
        }),
    );
    await withAnswer(
      (_command, reply) => {
        reply({ ok: true, result: { type: 'rooms', rooms: null as never } });
        return 'accepted';
      },
      async (replyTo) => expect((await replyTo('room:list')).error?.code).toBe('INTERNAL'),
    );
    expect(gateway.lines.filter((line) => line.includes('gateway.bug'))).toHaveLength(2);
    gateway.lines.length = 0;
  });
});
