/**
 * Who may do what: every event × everybody who can stand before a room, on real sockets.
 *
 * The rows are typed by the list of events: an event without a row does not compile, and fails here. For strangers a private
 * room is not there at all: each answer is compared word for word with that of a room that does not exist.
 */
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandEvent, type CommandPayloads, commandTypes } from '../../gateway/client-protocol.ts';
import type { ErrorCode } from '../../system/errors.ts';
import { emptyHead } from '../../system/store/entry.ts';
import { type Draft, entriesAfter, room as roomId, user } from '../support/entries.ts';
import { ask, client, closeClients, connected, type WireReply } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { noRates } from '../support/test-config.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

/** Who they are to the room, and their name. max is a member who does nothing, mel a second moderator. */
const people = { stranger: 'sam', left: 'lefty', kicked: 'kim', member: 'mick', moderator: 'mona', owner: 'olive' } as const;
type Standing = keyof typeof people;
const standings = Object.keys(people) as Standing[];

/** The number of a message of each; a stranger has none and points at max's. */
const messageOf: Readonly<Record<Standing | 'max', number>> = {
  left: 2,
  kicked: 3,
  member: 4,
  moderator: 5,
  owner: 6,
  max: 7,
  stranger: 7,
};
const headSeq = 9;

/** OK, the code of a refusal, or where the answer is ok and says it in a field: verdict of an open, presence in a list. */
type Outcome = 'OK' | ErrorCode | 'gone' | 'denied' | 'snapshot' | 'listed' | 'not listed';

interface Case<Event extends CommandEvent = CommandEvent> {
  /** What is done, where an event has several cases. */
  readonly what?: string;
  readonly payload: (room: string, who: Standing) => CommandPayloads[Event];
  /** stranger, left, kicked, member, moderator, owner: of a private group. */
  readonly inPrivate: readonly [Outcome, Outcome, Outcome, Outcome, Outcome, Outcome];
  /** stranger, left, kicked: of a public one. Its members may do the same as in a private one. */
  readonly inPublic: readonly [Outcome, Outcome, Outcome];
}

const members = <T>(outcome: T): [T, T, T] => [outcome, outcome, outcome];
const hidden = members('NOT_FOUND' as const);
const closed = members('FORBIDDEN' as const);
const free = members('OK' as const);

const table: { readonly [Event in CommandEvent]: readonly Case<Event>[] } = {
  'room:create': [
    // The one thing that can be learnt of a private room: that its id is taken.
    {
      payload: (id) => ({ kind: 'group', id }),
      inPrivate: [...members('CONFLICT' as const), ...members('CONFLICT' as const)],
      inPublic: members('CONFLICT'),
    },
  ],
  'room:list': [
    { payload: () => ({}), inPrivate: [...members('not listed' as const), ...members('listed' as const)], inPublic: members('not listed') },
  ],
  'room:join': [{ payload: (room) => ({ room }), inPrivate: [...hidden, ...free], inPublic: ['OK', 'OK', 'FORBIDDEN'] }],
  'room:leave': [{ payload: (room) => ({ room }), inPrivate: ['NOT_FOUND', 'OK', 'OK', ...free], inPublic: ['FORBIDDEN', 'OK', 'OK'] }],
  'room:invite': [
    { what: 'somebody new', payload: (room) => ({ room, user: 'newbie' }), inPrivate: [...hidden, ...free], inPublic: closed },
    {
      what: 'somebody who was removed',
      payload: (room) => ({ room, user: people.kicked }),
      inPrivate: [...hidden, 'FORBIDDEN', 'OK', 'OK'],
      inPublic: closed,
    },
  ],
  'room:kick': [
    { what: 'a member', payload: (room) => ({ room, user: 'max' }), inPrivate: [...hidden, 'FORBIDDEN', 'OK', 'OK'], inPublic: closed },
    {
      what: 'a moderator',
      payload: (room) => ({ room, user: 'mel' }),
      inPrivate: [...hidden, 'FORBIDDEN', 'FORBIDDEN', 'OK'],
      inPublic: closed,
    },
    {
      what: 'the owner',
      payload: (room) => ({ room, user: people.owner }),
      inPrivate: [...hidden, 'FORBIDDEN', 'FORBIDDEN', 'INVALID'],
      inPublic: closed,
    },
  ],
  'room:open': [
    {
      payload: (room) => ({ room }),
      inPrivate: [...hidden, ...members('snapshot' as const)],
      inPublic: closed,
    },
    {
      what: 'where they were, to find out that they are not in it any more',
      payload: (room) => ({ room, since: headSeq - 1, epoch: 'x' }),
      inPrivate: ['gone', 'denied', 'denied', ...members('snapshot' as const)],
      inPublic: ['gone', 'denied', 'denied'],
    },
  ],
  // Says nothing of the room: it only ends what this connection had.
  'room:close': [{ payload: (room) => ({ room }), inPrivate: [...free, ...free], inPublic: free }],
  'message:send': [
    { payload: (room) => ({ room, cid: 'c', text: 'hello' }), inPrivate: [...hidden, ...free], inPublic: closed },
    {
      what: 'in reply',
      payload: (room) => ({ room, cid: 'c', text: 'hello', replyTo: 7 }),
      inPrivate: [...hidden, ...free],
      inPublic: closed,
    },
    {
      what: 'in reply to nothing',
      payload: (room) => ({ room, cid: 'c', text: 'hello', replyTo: 99 }),
      inPrivate: [...hidden, ...hidden],
      inPublic: closed,
    },
  ],
  'message:modify': [
    {
      what: 'their own',
      payload: (room, who) => ({ room, cid: 'c', target: messageOf[who], text: 'other' }),
      inPrivate: [...hidden, ...free],
      inPublic: closed,
    },
    {
      what: "another's",
      payload: (room) => ({ room, cid: 'c', target: messageOf.max, text: 'other' }),
      inPrivate: [...hidden, ...closed],
      inPublic: closed,
    },
  ],
  'message:delete': [
    {
      what: 'their own',
      payload: (room, who) => ({ room, cid: 'c', target: messageOf[who] }),
      inPrivate: [...hidden, ...free],
      inPublic: closed,
    },
    {
      what: "another's",
      payload: (room) => ({ room, cid: 'c', target: messageOf.max }),
      inPrivate: [...hidden, 'FORBIDDEN', 'OK', 'OK'],
      inPublic: closed,
    },
  ],
  'message:react': [
    {
      payload: (room) => ({ room, cid: 'c', target: messageOf.max, emoji: '👍', on: true }),
      inPrivate: [...hidden, ...free],
      inPublic: closed,
    },
  ],
  'history:get': [{ payload: (room) => ({ room, before: 100 }), inPrivate: [...hidden, ...free], inPublic: closed }],
  typing: [{ payload: (room) => ({ room }), inPrivate: [...hidden, ...free], inPublic: closed }],
  'read:mark': [{ payload: (room) => ({ room, seq: headSeq }), inPrivate: [...hidden, ...free], inPublic: closed }],
  // Not about a room either: a connection stays who it is.
  'auth:refresh': [
    { payload: (_room, who) => ({ token: tokenOf(people[who]) }), inPrivate: [...free, ...free], inPublic: free },
    { what: "with another's token", payload: () => ({ token: tokenOf('max') }), inPrivate: [...closed, ...closed], inPublic: closed },
    {
      what: 'with no token',
      payload: () => ({ token: 'x' }),
      inPrivate: [...members('UNAUTHENTICATED' as const), ...members('UNAUTHENTICATED' as const)],
      inPublic: members('UNAUTHENTICATED'),
    },
  ],
  // A room without a community is one of its own. Its name says no more to a stranger than that of none.
  'voice:enter': [
    { payload: (room) => ({ community: room, channel: 'x' }), inPrivate: [...hidden, ...free], inPublic: hidden },
    { what: 'of nobody', payload: () => ({ community: 'nowhere', channel: 'x' }), inPrivate: [...hidden, ...hidden], inPublic: hidden },
  ],
  'voice:list': [{ payload: (room) => ({ community: room }), inPrivate: [...hidden, ...free], inPublic: hidden }],
  'voice:leave': [{ payload: () => ({}), inPrivate: [...free, ...free], inPublic: free }],
  // Not about a room: whether somebody is online is no secret among the users of a server.
  'presence:watch': [{ payload: () => ({ users: ['max'] }), inPrivate: [...free, ...free], inPublic: free }],
};

// ---- the stage ----

let node: InProcess;
const sockets = {} as Record<Standing, Socket>;
/** Rooms whose entries a socket was shown. */
const shown = new Map<Standing, Set<string>>();
let rooms = 0;

/** A room with all of them in it, some gone since. */
async function newRoom(isPublic: boolean): Promise<string> {
  rooms += 1;
  const id = roomId(`room-${rooms}`);
  const member = (name: string, role: 'owner' | 'moderator' | 'member' = 'member') => ({ user: user(name), role });
  const facts = {
    kind: 'group' as const,
    public: isPublic,
    members: [
      member(people.owner, 'owner'),
      member(people.moderator, 'moderator'),
      member('mel', 'moderator'),
      ...[people.left, people.kicked, people.member, 'max'].map((name) => member(name)),
    ],
  };
  const messages = [people.left, people.kicked, people.member, people.moderator, people.owner, 'max'].map(
    (by): Draft => ({ by, text: 'before' }),
  );
  const drafts: Draft[] = [
    { kind: 'room', by: people.owner, room: facts },
    ...messages,
    { kind: 'member', by: people.left, member: { user: user(people.left), change: 'left' } },
    { kind: 'member', by: people.owner, member: { user: user(people.kicked), change: 'kicked' } },
  ];
  const entries = entriesAfter(emptyHead, drafts);
  expect(entries.at(-1)?.seq).toBe(headSeq);
  expect(await node.store.log.append(id, 0, entries)).toEqual({ type: 'appended' });
  const gone: Record<string, number> = { [people.left]: 8, [people.kicked]: 9 };
  await node.store.userRooms.settle(
    facts.members.map(({ user: who }) => ({ user: who, room: id, member: !(who in gone), seq: gone[who] ?? 1, joinedSeq: 1, joinedN: 0 })),
  );
  return id;
}

beforeAll(async () => {
  node = await startInProcess(noRates);
  for (const standing of standings) {
    const socket = await connected(client(node.url, { auth: { token: tokenOf(people[standing]) } }));
    sockets[standing] = socket;
    shown.set(standing, new Set());
    socket.on('entries', ({ room }: { room: string }) => shown.get(standing)?.add(room));
  }
});
afterAll(async () => {
  closeClients();
  await stopNodes();
});

function outcomeOf(event: CommandEvent, reply: WireReply, room: string): Outcome {
  if (!reply.ok) return reply.error?.code as ErrorCode;
  if (event === 'room:open') return reply['verdict'] as Outcome;
  if (event === 'room:list') return (reply['rooms'] as { id: string }[]).some(({ id }) => id === room) ? 'listed' : 'not listed';
  return 'OK';
}

const cases = (Object.entries(table) as [CommandEvent, readonly Case[]][]).flatMap(([event, rows]) =>
  rows.map((row) => ({ name: row.what === undefined ? event : `${event} ${row.what}`, event, row })),
);

describe('the table', () => {
  it('has a row for every event', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(commandTypes).sort());
  });
});

describe('in a private room', () => {
  it.each(cases)('$name', async ({ event, row }) => {
    const outcomes: Outcome[] = [];
    for (const standing of standings) {
      const room = await newRoom(false);
      outcomes.push(outcomeOf(event, await ask(sockets[standing], event, row.payload(room, standing)), room));
    }
    expect(Object.fromEntries(standings.map((standing, i) => [standing, outcomes[i]]))).toEqual(
      Object.fromEntries(standings.map((standing, i) => [standing, row.inPrivate[i]])),
    );
  });

  it.each(cases.filter(({ event }) => event !== 'room:create'))(
    '$name: a stranger is told what would be said of no room',
    async ({ event, row }) => {
      const there = await ask(sockets.stranger, event, row.payload(await newRoom(false), 'stranger'));
      const notThere = await ask(sockets.stranger, event, row.payload('nowhere', 'stranger'));
      expect(there).toEqual(notThere);
    },
  );

  it.each(cases)('$name: whoever is not in it changes nothing and is shown nothing of it', async ({ event, row }) => {
    for (const standing of ['stranger', 'left', 'kicked'] as const) {
      const room = await newRoom(false);
      const reply = await ask(sockets[standing], event, row.payload(room, standing));
      if (event !== 'room:list') expect(JSON.stringify(reply), standing).not.toContain('before');
      await ask(sockets.owner, 'message:send', { room, cid: 'later', text: 'later' });
      await ask(sockets[standing], 'room:list');
      const [head] = await node.store.log.heads([roomId(room)]);
      expect(head?.seq, standing).toBe(headSeq + 1);
      expect(shown.get(standing), standing).not.toContain(room);
    }
  });
});

describe('in a public room', () => {
  it.each(cases)('$name', async ({ event, row }) => {
    const outcomes: Outcome[] = [];
    for (const standing of ['stranger', 'left', 'kicked'] as const) {
      const room = await newRoom(true);
      outcomes.push(outcomeOf(event, await ask(sockets[standing], event, row.payload(room, standing)), room));
    }
    expect(outcomes).toEqual(row.inPublic);
  });
});
