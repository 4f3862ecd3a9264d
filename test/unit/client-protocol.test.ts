/**
 * The wire shapes and the rules of every field, without a socket.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Answer, ClientCommand, MessageView, RoomView } from '../../actors/client-command.ts';
import { encodeAnswer, encodeEntry } from '../../gateway/client-encoding.ts';
import { type CommandEvent, commandTypes } from '../../gateway/client-protocol.ts';
import { commandFields, decodeCommand, isCommand, unknownEvent } from '../../gateway/command-decoder.ts';
import { depthMax, guardPayload, valuesMax } from '../../gateway/payload-guard.ts';
import { refuse } from '../../system/errors.ts';
import { asEntry } from '../support/gateway-fixtures.ts';
import { badValues, validPayloads } from '../support/gateway-payloads.ts';

const events = Object.keys(commandTypes) as CommandEvent[];
const refusalOf = (event: string, payload: unknown) => {
  const decoded = decodeCommand(event, payload);
  if (isCommand(decoded)) throw new Error(`accepted ${event} ${JSON.stringify(payload)}`);
  return decoded;
};

describe('decodeCommand', () => {
  it('has a valid example and a bad value for every field of every command', () => {
    for (const event of events) {
      const shown = new Set(validPayloads[event].flatMap((payload) => Object.keys(payload)));
      expect([...shown].sort(), event).toEqual([...commandFields[event]].sort());
      for (const field of commandFields[event]) expect(badValues[field], `${event}.${field}`).toBeDefined();
    }
  });

  it.each(events)('%s: accepts each valid example', (event) => {
    for (const payload of validPayloads[event]) {
      const decoded = decodeCommand(event, payload);
      expect(isCommand(decoded), JSON.stringify(decoded)).toBe(true);
      expect((decoded as ClientCommand).type).toBe(commandTypes[event]);
    }
  });

  it.each(events)('%s: refuses each bad value of each field and names the field', (event) => {
    for (const field of commandFields[event]) {
      const payload = validPayloads[event].find((candidate) => Object.hasOwn(candidate, field)) ?? {};
      for (const bad of badValues[field] ?? []) {
        const refusal = refusalOf(event, { ...payload, [field]: bad });
        expect(['INVALID', 'PAYLOAD_TOO_LARGE']).toContain(refusal.code);
        expect(refusal.message, `${event}.${field} = ${JSON.stringify(bad)}`).toMatch(new RegExp(`\\b${field}\\b`));
        expect(refusal.message.length).toBeLessThan(200);
      }
    }
  });

  it.each(events)('%s: refuses an unknown field, a field that is missing and a payload of another type', (event) => {
    for (const payload of validPayloads[event]) {
      expect(refusalOf(event, { ...payload, sender: 'eve' }).message).toContain('unknown field "sender"');
      const polluted = JSON.parse(`{"__proto__": {"polluted": 1}, ${JSON.stringify(payload).slice(1)}`.replace(', }', '}')) as object;
      expect(guardPayload(polluted)?.message).toContain('unknown field "__proto__"');
    }
    for (const payload of ['text', 1, true, [], [{}], Symbol.iterator]) expect(refusalOf(event, payload).code).toBe('INVALID');
    if (event !== 'room:list' && event !== 'voice:leave') {
      expect(refusalOf(event, undefined).message).toContain('payload must be an object');
      expect(refusalOf(event, {}).code).toBe('INVALID');
    }
  });

  it('takes only what the schema knows, as a fresh object with the defaults filled in', () => {
    expect(decodeCommand('room:create', { kind: 'group' })).toEqual({ type: 'room.create', kind: 'group', public: false, members: [] });
    expect(decodeCommand('room:open', { room: 'r', since: 0 })).toEqual({ type: 'room.open', room: 'r', since: 0, limit: 50 });
    expect(refusalOf('room:open', { room: 'r', since: -0 }).message).toContain('since');
    expect(decodeCommand('room:list', undefined)).toEqual({ type: 'room.list' });
    expect(decodeCommand('room:list', null)).toEqual({ type: 'room.list' });
    expect(decodeCommand('history:get', { room: 'r', after: 0 })).toEqual({
      type: 'history.get',
      room: 'r',
      range: { after: 0, limit: 50 },
    });
    expect(decodeCommand('history:get', { room: 'r', around: 7, limit: 100 })).toEqual({
      type: 'history.get',
      room: 'r',
      range: { around: 7, limit: 100 },
    });
  });

  it('has rules between fields: a dm has one other member and no id; history has one point of view', () => {
    expect(refusalOf('room:create', { kind: 'dm' }).message).toContain('members must be exactly one');
    expect(refusalOf('room:create', { kind: 'dm', members: ['a', 'b'] }).message).toContain('members');
    expect(refusalOf('room:create', { kind: 'dm', members: ['a'], id: 'x' }).message).toContain('id must be left out');
    expect(refusalOf('room:create', { kind: 'dm', members: ['a'], public: true }).message).toContain('public');
    expect(refusalOf('history:get', { room: 'r' }).message).toContain('exactly one of them');
    expect(refusalOf('history:get', { room: 'r', before: 5, after: 1 }).message).toContain('exactly one of them');
  });

  it('counts the text in bytes of UTF-8 and says the limit', () => {
    const send = (text: string) => decodeCommand('message:send', { room: 'r', cid: 'c', text });
    expect(isCommand(send('a'.repeat(16_384)))).toBe(true);
    expect(isCommand(send('é'.repeat(8_192)))).toBe(true);
    expect(send('a'.repeat(16_385))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', limit: 16_384, retryable: false });
    expect(send('é'.repeat(8_193))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', limit: 16_384 });
    expect(decodeCommand('message:send', { room: 'r', cid: 'c', text: 'four' }, 3)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', limit: 3 });
  });

  it('names the known events for an unknown one, and echoes no more than 64 characters', () => {
    expect(refusalOf('room:steal', {}).message).toContain('message:send');
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'error', 'x'.repeat(60_000), 7, null, {}]) {
      const refusal = unknownEvent(name);
      expect(isCommand(decodeCommand(name, {}))).toBe(false);
      expect(refusal.code).toBe('UNKNOWN_EVENT');
      expect(refusal.message.length).toBeLessThan(400);
    }
  });

  it('never throws, whatever passes for a payload', () => {
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.anything({ withNullPrototype: true, withBigInt: true }), (event, payload) => {
        decodeCommand(event, payload);
        guardPayload(payload);
      }),
      { numRuns: 2_000 },
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('answers adversarial strings of 50 kB in every field within 50 ms', () => {
    const attacks = [
      'a'.repeat(50_000),
      ' '.repeat(50_000),
      '\u0301'.repeat(50_000),
      'a-'.repeat(25_000),
      '\ud800'.repeat(50_000),
      '!'.repeat(50_000),
    ];
    for (const event of events) {
      for (const field of commandFields[event]) {
        for (const attack of attacks) {
          // The best of three: a busy machine is no slow rule.
          let tookMs = Number.POSITIVE_INFINITY;
          for (let attempt = 0; attempt < 3 && tookMs >= 50; attempt++) {
            const startedMs = performance.now();
            refusalOf(event, { ...validPayloads[event][0], [field]: attack });
            tookMs = performance.now() - startedMs;
          }
          expect(tookMs).toBeLessThan(50);
        }
      }
    }
  });
});

describe('guardPayload', () => {
  const nested = (depth: number, leaf: unknown = 1): unknown => (depth === 0 ? leaf : { a: nested(depth - 1, leaf) });

  it('bounds depth, also of a bomb that would overflow the stack', () => {
    expect(guardPayload(nested(depthMax))).toBeUndefined();
    expect(guardPayload(nested(depthMax + 1))?.message).toContain('nested deeper than 8');
    const bomb: unknown = JSON.parse('['.repeat(30_000) + ']'.repeat(30_000));
    expect(guardPayload(bomb)?.message).toContain('nested deeper than 8');
  });

  it('bounds the number of values, wherever they are', () => {
    expect(guardPayload(Array.from({ length: valuesMax }, () => 1))).toBeUndefined();
    expect(guardPayload(Array.from({ length: valuesMax + 1 }, () => 1))?.message).toContain('more than 512 values');
    expect(guardPayload(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 1])))?.message).toContain(
      'more than 512 values',
    );
    expect(guardPayload({ a: Array.from({ length: 300 }, () => [1, 2]) })?.message).toContain('more than 512 values');
  });

  it('refuses binary wherever it is, before its bytes are looked at', () => {
    for (const binary of [Buffer.alloc(60_000), new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Float64Array(4)]) {
      expect(guardPayload(binary)?.message).toBe('payload must not be binary');
      expect(guardPayload({ room: [binary] })?.message).toBe('payload.room.0 must not be binary');
    }
  });

  it('refuses keys that lead to a prototype, at every level', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const payload: unknown = JSON.parse(`{"a":{"b":[{"${key}":{"polluted":1}}]}}`);
      expect(guardPayload(payload)?.message).toBe(`unknown field "${key}" in payload.a.b.0`);
    }
  });
});

describe('encoding', () => {
  it('keeps what is internal inside', () => {
    const entry = asEntry({ seq: 3, text: 'hi', writer: 'node-1.secret', ...({ added: 'later' } as object) });
    const text = JSON.stringify(encodeEntry(entry));
    expect(text).not.toContain('secret');
    expect(text).not.toContain('later');
    expect(JSON.parse(text)).toMatchObject({ seq: 3, kind: 'message', by: 'ada', text: 'hi' });
  });

  it('gives every answer the shape of the contract', () => {
    const room = {
      id: 'r',
      kind: 'group',
      public: false,
      role: 'owner',
      head: 1,
      epoch: 'e',
      members: 1,
      internal: 1,
    } as unknown as RoomView;
    const message = { ...asEntry({ seq: 1, text: 'hi' }), edited: 2 } as MessageView;
    const ok = (result: Extract<Answer, { ok: true }>['result']) => encodeAnswer({ ok: true, result });
    expect(ok({ type: 'done' })).toEqual({ ok: true });
    expect(ok({ type: 'room', room })).toEqual({
      ok: true,
      room: { id: 'r', kind: 'group', public: false, role: 'owner', head: 1, epoch: 'e', members: 1 },
    });
    expect(ok({ type: 'stored', seq: 4, at: 5, dup: false })).toEqual({ ok: true, seq: 4, at: 5 });
    expect(ok({ type: 'stored', seq: 4, at: 5, dup: true })).toEqual({ ok: true, seq: 4, at: 5, dup: true });
    expect(ok({ type: 'rooms', rooms: [{ id: room.id, head: 1, n: 1, read: 0, unread: 1, last: message }] })).toMatchObject({
      ok: true,
      rooms: [{ id: 'r', head: 1, n: 1, read: 0, unread: 1, last: { seq: 1, text: 'hi', edited: 2 } }],
    });
    const opened = ok({ type: 'opened', verdict: 'snapshot', head: 9, epoch: 'e', upTo: 9, entries: [message], more: true });
    expect(opened).toMatchObject({ ok: true, verdict: 'snapshot', head: 9, upTo: 9, epoch: 'e', more: true, entries: [{ seq: 1 }] });
    expect(ok({ type: 'history', entries: [], hasBefore: true, hasAfter: false })).toEqual({
      ok: true,
      entries: [],
      hasBefore: true,
      hasAfter: false,
    });
    for (const answer of [opened, ok({ type: 'history', entries: [message], hasBefore: false, hasAfter: false })]) {
      expect(JSON.stringify(answer)).not.toContain('writer');
    }
    expect(encodeAnswer({ ok: false, refusal: refuse('BUSY', 'wait', 7) })).toEqual({
      ok: false,
      error: { code: 'BUSY', message: 'wait', retryable: true, retryAfterMs: 7 },
    });
  });
});
