/**
 * What stands around Redis without asking it: the breaker, the names of keys, signed texts, the words for operators.
 */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RedisBreaker } from '../../system/cluster/redis-breaker-state.ts';
import { redisKeys } from '../../system/cluster/redis-keys.ts';
import { isReply, redisWords } from '../../system/cluster/redis-words.ts';
import { SignedText } from '../../system/cluster/signed-text.ts';
import { createLogger } from '../../system/logger.ts';

describe('the breaker', () => {
  const opened = () => {
    const breaker = new RedisBreaker({ failuresMax: 3, windowMs: 100, restMs: 50 });
    for (const at of [0, 10, 20]) breaker.failed(at);
    return breaker;
  };

  it('opens with so many failures within its window, not with as many over a longer time', () => {
    const slow = new RedisBreaker({ failuresMax: 3, windowMs: 100, restMs: 50 });
    expect([0, 60, 120, 180].map((at) => slow.failed(at))).toEqual([false, false, false, false]);
    expect(slow.takes(180)).toBe(true);
    const quick = new RedisBreaker({ failuresMax: 3, windowMs: 100, restMs: 50 });
    expect([0, 10, 20].map((at) => quick.failed(at))).toEqual([false, false, true]);
    expect(quick.takes(21)).toBe(false);
  });

  it('lets one call through after its rest, and all after that one succeeded', () => {
    const breaker = opened();
    expect([69, 70, 71].map((at) => breaker.takes(at))).toEqual([false, true, false]);
    breaker.succeeded();
    expect([72, 72].map((at) => breaker.takes(at))).toEqual([true, true]);
    expect(breaker.failed(73)).toBe(false);
  });

  it('rests again when that one fails; calls from before that fail late change nothing', () => {
    const breaker = opened();
    expect(breaker.failed(40)).toBe(false);
    expect(breaker.takes(70)).toBe(true);
    expect(breaker.failed(75)).toBe(true);
    expect([124, 125].map((at) => breaker.takes(at))).toEqual([false, true]);
  });
});

describe('keys', () => {
  const keys = redisKeys('p');
  const odd = [
    '',
    'a',
    'a:b',
    'a b',
    'a\r\nb',
    '*',
    '%',
    '%25',
    '#',
    'ä',
    '\ud800',
    '\udc00',
    'x'.repeat(129),
    'x'.repeat(130),
    '2001:db8:0:1::/64',
  ];

  it('are another one for every id and every use, short, and of one line', () => {
    const all = odd.flatMap((id) => [
      keys.claim(id),
      keys.cache(id),
      keys.kept(id),
      keys.bucket('user', id),
      keys.bucket('address', id),
      keys.seats('user', id),
    ]);
    expect(new Set(all).size).toBe(all.length);
    for (const key of all) expect(key).toMatch(/^p:[\x21-\x7e]{1,199}$/);
  });

  it('keep what two ids share apart from where one ends', () => {
    expect(keys.bucket('a:b', 'c')).not.toBe(keys.bucket('a', 'b:c'));
  });
});

describe('signed texts', () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  const schema = z.object({ a: z.number() });
  const mine = new SignedText({ secret: 'a secret of at least thirty-two bytes', log });

  it('open where they were sealed, and nowhere else', () => {
    const text = mine.seal('node', 'place', { a: 1 });
    expect(mine.open('node', 'place', text, schema)).toEqual({ a: 1 });
    const wrong: [string, unknown][] = [
      ['other', text],
      ['place', text.replace('1', '2')],
      ['place', `${'-'.repeat(43)}{"a":1}`],
      ['place', text.slice(1)],
      ['place', ''],
      ['place', undefined],
      ['place', mine.seal('node', 'place', { a: 'no number' })],
      ['place', mine.seal('cache', 'place', { a: 1 })],
      ['place', new SignedText({ secret: 'another secret of thirty-two bytes', log }).seal('node', 'place', { a: 1 })],
      ['place', mine.seal('node', 'place', { a: 1, b: 'x'.repeat(70_000) })],
    ];
    for (const [place, given] of wrong) expect(mine.open('node', place, given, schema), String(given).slice(0, 60)).toBeUndefined();
    expect(mine.bad).toEqual({ node: wrong.length });
    expect(lines.filter((line) => line.includes('redis.bad'))).toHaveLength(1);
    expect(lines.join()).not.toContain('secret');
  });

  it('cannot be read as those of another name by moving the border between name and body', () => {
    const text = mine.seal('node', 'place\n{"a":1}', { a: 2 });
    expect(mine.open('node', 'place', `${text.slice(0, 43)}{"a":1}\n{"a":2}`, z.any())).toBeUndefined();
  });

  it('without a secret are judged by their shape', () => {
    const open = new SignedText({ secret: undefined, log });
    expect(open.open('node', 'place', open.seal('node', 'elsewhere', { a: 1 }), schema)).toEqual({ a: 1 });
    expect(open.open('node', 'place', mine.seal('node', 'place', { a: 1 }), schema)).toEqual({ a: 1 });
    expect(open.open('node', 'place', 'x'.repeat(50), schema)).toBeUndefined();
  });
});

describe('words for operators', () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });
  it('hold a code and nothing that was quoted', () => {
    expect(redisWords(reply('WRONGPASS invalid username-password pair or user is disabled.'))).toContain('CHAT_REDIS_URL');
    expect(redisWords(reply('WRONGTYPE Operation against a key holding hunter2'))).toBe('answers WRONGTYPE');
    expect(redisWords(reply('unknown command hunter2'))).not.toContain('hunter2');
    expect(redisWords(new Error('Command timed out'))).toBe('does not answer in time');
    expect(redisWords(Object.assign(new Error('connect to hunter2'), { code: 'ECONNREFUSED' }))).toBe('cannot be reached (ECONNREFUSED)');
    expect(redisWords('hunter2')).toBe('failed');
    expect([isReply(reply('x')), isReply(new Error('x')), isReply(undefined)]).toEqual([true, false, false]);
  });
});
