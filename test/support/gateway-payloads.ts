/**
 * Valid and bad payloads of every command, for the decoder's tests and the fuzz over real sockets.
 *
 * Guarantees: together with `commandFields` no field can be added without a case: tests compare the two.
 */
import type { CommandEvent } from '../../gateway/client-protocol.ts';
import { tokenOf } from './gateway-fixtures.ts';

type Payload = Readonly<Record<string, unknown>>;

/** Between them the examples of a command show all of its fields. */
export const validPayloads: Readonly<Record<CommandEvent, readonly Payload[]>> = {
  'auth:refresh': [{ token: tokenOf('ada') }],
  'room:create': [
    { kind: 'group', id: 'room-1', name: 'Tea & 🫖', public: true, community: 'c1', members: ['bob', 'eve_2'] },
    { kind: 'channel' },
    { kind: 'dm', members: ['bob'] },
  ],
  'room:list': [{}],
  'room:join': [{ room: 'r' }],
  'room:leave': [{ room: 'r' }],
  'room:invite': [{ room: 'r', user: 'bob' }],
  'room:kick': [{ room: 'r', user: 'bob' }],
  'room:open': [{ room: 'r', since: 0, epoch: 'node-1.abc', limit: 500 }, { room: 'r' }],
  'room:close': [{ room: 'r' }],
  'message:send': [
    { room: 'r', cid: 'c-1', text: ' hallo \u202e 🧑‍🚀\n', replyTo: 1 },
    { room: 'r', cid: 'c', text: 'x' },
  ],
  'message:modify': [{ room: 'r', cid: 'c', target: 1, text: 'x' }],
  'message:delete': [{ room: 'r', cid: 'c', target: Number.MAX_SAFE_INTEGER }],
  'message:react': [{ room: 'r', cid: 'c', target: 1, emoji: '👩‍👩‍👧', on: false }],
  'history:get': [
    { room: 'r', before: 9, limit: 1 },
    { room: 'r', after: 0 },
    { room: 'r', around: 3 },
  ],
  typing: [{ room: 'r' }],
  'presence:watch': [{ users: ['bob', 'eve_2'] }, { users: [] }],
  'read:mark': [{ room: 'r', seq: 7 }],
  'voice:enter': [{ community: '3', channel: '31' }],
  'voice:leave': [{}],
  'voice:list': [{ community: '3' }],
};

const notAString = [null, 0, true, [], ['r'], {}, { $gt: '' }];
const badId = [...notAString, '', ' ', 'a b', 'a:b', '../x', 'a\n', 'ä', '\0', '__proto__\0', 'x'.repeat(65), '*', '%2e', 'room:evil'];
const badSeq = [null, '1', true, [], {}, -1, 1.5, 2 ** 53, 1e308];
const badText = [...notAString, '', 'a\0b', '\ud800', 'x\udc00y', 'x'.repeat(16_385), '€'.repeat(6_000)];
const badLabel = [...notAString, '', 'x'.repeat(81), 'a\u0007', 'a\nb', '\ud83d', '\u0301'.repeat(10_000)];

export const badValues: Readonly<Record<string, readonly unknown[]>> = {
  token: [...notAString, '', 'x'.repeat(8_193)],
  room: badId,
  user: badId,
  cid: badId,
  id: badId,
  community: badId,
  channel: badId,
  kind: [...notAString, '', 'Group', 'dm ', 'toString', '__proto__'],
  name: badLabel,
  public: [null, 0, 1, 'true', [], {}],
  on: [null, 0, 1, 'false', [], {}],
  members: [
    null,
    'bob',
    1,
    {},
    { length: 1, 0: 'bob' },
    [1],
    [null],
    [['bob']],
    ['a b'],
    ['bob', 'bob'],
    Array.from({ length: 101 }, (_, i) => `u${i}`),
  ],
  users: [null, 'bob', 1, {}, [1], [['bob']], ['a b'], ['bob', 'bob'], Array.from({ length: 201 }, (_, i) => `u${i}`)],
  since: badSeq,
  seq: [...badSeq, 0],
  epoch: [...notAString, '', 'a b', 'x'.repeat(129), 'é'],
  limit: [null, '5', true, [], {}, 0, -1, 1.5, 501, 1e308],
  text: badText,
  replyTo: [...badSeq, 0],
  target: [...badSeq, 0],
  before: [...badSeq, 0],
  after: badSeq,
  around: [...badSeq, 0],
  emoji: [...notAString, '', ' ', 'a b', 'x'.repeat(33), '🫖'.repeat(9), '\u0000', '\ud800', '\u2028'],
};
