/**
 * What older clients write: the lenient grammar, the fields of each type, and how replies print.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depthMax, type LenientValue, readLenient } from '../../system/state/lenient-value.ts';
import {
  decodeOlderLine,
  doneReply,
  idsReply,
  type OlderRequest,
  occupancyReply,
  olderLineBytesMax,
  pairReply,
} from '../../system/state/older-lines.ts';

/** Maps as objects, for comparing. */
function plain(value: LenientValue): unknown {
  if (typeof value === 'string') return value;
  if (value instanceof Map)
    return Object.fromEntries([...(value as ReadonlyMap<string, LenientValue>)].map(([key, of]) => [key, plain(of)]));
  return (value as readonly LenientValue[]).map(plain);
}

function readIn(text: string): unknown {
  const read = readLenient(text);
  if (!read.ok) throw new Error(read.reason);
  return plain(read.value);
}

describe('the lenient grammar', () => {
  const login = { type: 'login', session_id: 'S', user_id: '1', ids: 'null' };
  it.each([
    `{"type":"login","session_id":"S","user_id":1,"ids":null}`,
    `{type='login', session_id='S', user_id='1', ids=null}`,
    `{ type : login , 'session_id' => "S","user_id"=1 ,\tids=>'null' }`,
    `{type=login,session_id=S,user_id=1,ids=null}\n`,
  ])('reads the same in %s', (text) => {
    expect(readIn(text)).toEqual(login);
  });

  it.each<[string, unknown]>([
    ['{}', {}],
    ['[]', []],
    ['{a=[1, "2", [3, {b=c}]]}', { a: ['1', '2', ['3', { b: 'c' }]] }],
    ['-1.5e3', '-1.5e3'],
    ['{a=c-31}', { a: 'c-31' }],
    [`"it's"`, "it's"],
    [`'say "yes"'`, 'say "yes"'],
    [String.raw`"a\"b\\c\/d\n\tA\u00e9"`, 'a"b\\c/d\n\tAé'],
    [String.raw`'\''`, "'"],
    ['{a=1,a=2}', { a: '2' }],
    ['{"a:b":1}', { 'a:b': '1' }],
    ["{''=''}", { '': '' }],
    ['{a=반환메세지}', { a: '반환메세지' }],
  ])('reads %s', (text, value) => {
    expect(readIn(text)).toEqual(value);
  });

  it.each([
    ...['', ' ', '{', '[', '}', ']', '{a}', '{a=}', '{a=1,}', '[1,]', '[,]', '{,}', '{a 1}', '{a==1}', '{a=>}', '[1 2]', '{a=1}}', '1 2'],
    ...[`'`, `"a`, String.raw`"\x"`, String.raw`"\u12"`, String.raw`"\u12g4"`, '"\\', '{[]=1}', '{{}=1}', '=', ',', '{a:=1}', "{a='b'c}"],
  ])('finds no value in %j, and says where', (text) => {
    expect(readLenient(text)).toEqual({ ok: false, reason: expect.stringMatching(/^expected .* at character \d+$/) });
  });

  it('reads every JSON text as JSON means it', () => {
    const asTexts = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(asTexts);
      if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value : JSON.stringify(value);
      return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, asTexts(of)]));
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: depthMax - 1 }), (value) => {
        expect(readIn(JSON.stringify(value))).toEqual(asTexts(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it('never throws, whatever it is given', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', '=', '>', ':', ',', "'", '"', '\\', 'u', ' ', 'a', '1', 'null');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
          fc.string(),
        ),
        (text) => {
          expect(readLenient(text)).toHaveProperty('ok');
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('goes no deeper than its bound, and a million brackets cost nothing', () => {
    expect(readLenient('['.repeat(depthMax) + ']'.repeat(depthMax)).ok).toBe(true);
    expect(readLenient('['.repeat(depthMax + 1) + ']'.repeat(depthMax + 1)).ok).toBe(false);
    expect(readLenient('['.repeat(1_000_000)).ok).toBe(false);
  });

  it('keeps __proto__ as a key like others', () => {
    const read = readLenient('{__proto__={a=1}}');
    expect(read.ok && read.value instanceof Map && [...read.value.keys()]).toEqual(['__proto__']);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });
});

/** As the older chat server writes it: six fields, a missing one as the word null. */
const asOlder = (given: Record<string, string>, ids = 'null'): string => {
  const field = (name: string) => `${name}='${given[name] ?? 'null'}'`;
  return `{${['type', 'session_id', 'user_id', 'channel_id', 'community_id'].map(field).join(', ')}, ids=${ids}}`;
};

describe('a request', () => {
  it.each<[Record<string, string>, string | undefined, OlderRequest]>([
    [{ type: 'login', session_id: 'S', user_id: '1' }, undefined, { type: 'login', session: 'S', user: '1' }],
    [{ type: 'logout', session_id: 'S' }, undefined, { type: 'logout', session: 'S' }],
    [{ type: 'state', user_id: '1', channel_id: 'r-7' }, undefined, { type: 'state', user: '1', place: 'r-7' }],
    [{ type: 'before-enter', user_id: '1', community_id: '3' }, undefined, { type: 'before-enter', community: '3' }],
    [
      { type: 'enter', user_id: '1', channel_id: 'c-31', community_id: '3' },
      undefined,
      { type: 'enter', user: '1', community: '3', place: 'com3,c-31' },
    ],
    [{ type: 'direct', community_id: 'r-7' }, '[2, 3]', { type: 'direct', place: undefined, ids: ['2', '3'] }],
    [{ type: 'community', channel_id: 'c-7' }, '["2", 03]', { type: 'community', place: 'c-7', ids: ['2', '3'] }],
    [{ type: 'direct', channel_id: 'r-7' }, '[]', { type: 'direct', place: 'r-7', ids: [] }],
    [
      { type: 'signaling', user_id: '1', community_id: '3', channel_id: 'c-31' },
      undefined,
      { type: 'signaling', user: '1', place: 'com3,c-31' },
    ],
    [{ type: 'signaling', user_id: '1', channel_id: 'r-7' }, undefined, { type: 'signaling', user: '1', place: undefined }],
    [{ type: 'hello', session_id: 'S' }, undefined, { type: 'unknown' }],
  ])('%j with ids %s is understood', (fields, ids, request) => {
    expect(decodeOlderLine(asOlder(fields, ids))).toEqual({ ok: true, request });
  });

  it.each<[string, Record<string, string>, string, string | undefined]>([
    ['login without a session', { type: 'login', user_id: '1' }, doneReply, undefined],
    ['login without a user', { type: 'login', session_id: 'S' }, doneReply, undefined],
    ['logout without a session', { type: 'logout', user_id: '1' }, 'null,null', undefined],
    ['state without a place', { type: 'state', user_id: '1' }, 'null,null', undefined],
    ['state without a user', { type: 'state', channel_id: 'r-7' }, 'null,r-7', undefined],
    ['before-enter without a community', { type: 'before-enter', user_id: '1' }, '{}', undefined],
    ['enter without a dash', { type: 'enter', user_id: '1', channel_id: '31', community_id: '3' }, '{}', undefined],
    ['enter with nothing behind the dash', { type: 'enter', user_id: '1', channel_id: 'c-', community_id: '3' }, '{}', undefined],
    [
      'enter of a community whose name ends another',
      { type: 'enter', user_id: '1', channel_id: 'c-1', community_id: '3,c-9' },
      '{}',
      undefined,
    ],
    ['direct without ids', { type: 'direct', channel_id: 'r-7' }, '[]', undefined],
    ['ids that are no whole numbers', { type: 'direct', channel_id: 'r-7' }, '[]', '[1, a]'],
    ['ids with a fraction', { type: 'community', channel_id: 'c-7' }, '[]', '[1.5]'],
    ['ids that are no list', { type: 'community', channel_id: 'c-7' }, '[]', '{a=1}'],
    ['signaling without a user', { type: 'signaling', community_id: '3' }, doneReply, undefined],
    [
      'a place that would end the line of the reply',
      { type: 'state', user_id: '1', channel_id: String.raw`a\r\nb` },
      'null,null',
      undefined,
    ],
    ['a place that is too long', { type: 'state', user_id: '1', channel_id: 'x'.repeat(129) }, 'null,null', undefined],
  ])('%s is answered in the shape of its type', (_what, fields, reply, ids) => {
    expect(decodeOlderLine(asOlder(fields, ids))).toMatchObject({ ok: false, isGarbage: false, reply });
  });

  it.each(['', 'null', '[]', '{}', "{type='null'}", '{type=[1]}', '{', 'login'])('%j is none: garbage, answered all the same', (text) => {
    expect(decodeOlderLine(text)).toMatchObject({ ok: false, isGarbage: true, reply: doneReply });
  });

  it('holds 100,000 ids of eight digits in a line that is short enough', () => {
    const ids = Array.from({ length: 100_000 }, (_, i) => 10_000_000 + i);
    const text = asOlder({ type: 'direct', channel_id: 'r-7' }, `[${ids.join(', ')}]`);
    const decoded = decodeOlderLine(text);
    expect(text.length).toBeLessThanOrEqual(olderLineBytesMax);
    expect(decoded.ok && decoded.request.type === 'direct' && decoded.request.ids.length).toBe(100_000);
  });
});

describe('a reply', () => {
  it.each([
    [pairReply('1', 'r-7'), '1,r-7'],
    [pairReply(undefined, undefined), 'null,null'],
    [pairReply('com3,c-31', 'c-9'), 'com3,c-31,c-9'],
    [idsReply(['3', '4', '3']), '[3, 4, 3]'],
    [idsReply([]), '[]'],
    [occupancyReply(new Map()), '{}'],
    [
      occupancyReply(
        new Map([
          ['31', ['1', '2']],
          ['32', []],
        ]),
      ),
      '{"31":["1","2"],"32":[]}',
    ],
    [occupancyReply(new Map([['__proto__', ['"']]])), '{"__proto__":["\\""]}'],
  ])('prints as %s', (printed, expected) => {
    expect(printed).toBe(expected);
  });
});
