/**
 * Bounds that are filled nowhere else: each is filled through the node's real actors, and answers as the README's table says.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import { historyReadsMax, listReadsMax } from '../../actors/reads.ts';
import { roomMailboxMax } from '../../actors/room.ts';
import { foreignMarksWaitingMax } from '../../actors/room-foreign.ts';
import { nodeReorderBytesMax } from '../../actors/room-share.ts';
import { RoomState } from '../../actors/room-state.ts';
import { noLoad, RoomTally } from '../../actors/room-tally.ts';
import { typistsWaitingMax } from '../../actors/room-typing.ts';
import { sessionMailboxMax } from '../../actors/session.ts';
import { callbackRef } from '../../system/actor.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { emptyHead, headAfter } from '../../system/store/entry.ts';
import { batchEntriesMax } from '../../system/store/room-log.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import type { UserRooms } from '../../system/store/user-rooms.ts';
import { create, join, open, type StageClient, send, startStage, stopStages, testRoomSettings } from '../support/actor-stage.ts';
import { entriesAfter, entryAfter } from '../support/entries.ts';
import { startTestGateway } from '../support/gateway-fixtures.ts';
import { turns } from '../support/manual-clock.ts';
import { rawRequest } from '../support/raw-request.ts';

const lobby = 'lobby' as RoomId;
afterEach(stopStages);

const codeOf = (answer: Answer): string => (answer.ok ? 'ok' : answer.refusal.code);

/** Open until it is shut; then whoever passes waits for the release. */
function gate() {
  let release = () => {};
  let passing = Promise.resolve();
  return {
    pass: () => passing,
    release: () => release(),
    shut() {
      passing = new Promise((resolve) => {
        release = resolve;
      });
    },
  };
}

describe('mailboxes', () => {
  it('a room whose mailbox is full answers BUSY', async () => {
    const on = startStage();
    await on.connect('alice').done(create('lobby'));
    const refusals = Array.from({ length: roomMailboxMax + 1 }, () => on.rooms.send(lobby, { type: 'room.hint', seq: 0 }));
    expect(refusals.filter((refusal) => refusal !== undefined)).toHaveLength(1);
    expect(refusals.at(-1)).toMatchObject({ code: 'BUSY', retryable: true, retryAfterMs: 250 });
    await turns(40);
    expect(on.rooms.send(lobby, { type: 'room.hint', seq: 0 })).toBeUndefined();
    expect(on.lines).toContainEqual(expect.objectContaining({ ev: 'mailbox.high', kind: 'room', mailbox: roomMailboxMax * 0.8 }));
  });

  it('a session takes so many commands and refuses the next', async () => {
    const { handle } = startStage().connect('alice');
    const command: ClientCommand = { type: 'typing', room: lobby };
    const told = Array.from({ length: sessionMailboxMax + 1 }, () => handle.command(command, () => {}));
    expect(told.filter((each) => each === 'refused')).toHaveLength(1);
    expect(told.at(-1)).toBe('refused');
    await turns(10);
    expect(handle.command(command, () => {})).toBe('accepted');
  });

  it('signals for a room that is not awake wait up to their bound', async () => {
    const on = startStage();
    const codes: string[] = [];
    const replyTo = callbackRef<Answer>('test', (answer) => void codes.push(codeOf(answer)));
    for (let i = 0; i < typistsWaitingMax + 44; i += 1) on.rooms.send(lobby, { type: 'room.typing', user: 'alice' as UserId, replyTo });
    await turns(20);
    expect(codes.filter((code) => code === 'BUSY')).toHaveLength(44);
    expect(codes.filter((code) => code === 'NOT_FOUND')).toHaveLength(typistsWaitingMax);
  });

  it('marks of other nodes wait for a room up to their bound', async () => {
    const on = startStage({ roomIdleMs: 1 });
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    while (on.rooms.isActive(lobby)) {
      on.clock.advance(1_000);
      await turns(5);
    }
    for (let seq = 1; seq <= foreignMarksWaitingMax + 44; seq += 1)
      on.rooms.onSignal(lobby, { type: 'read', mark: { user: 'alice' as UserId, seq, n: seq }, isImplied: false });
    await turns(20);
    expect(alice.sink.events('read')).toHaveLength(foreignMarksWaitingMax);
  });
});

describe('appends', () => {
  it('one append holds 512 entries; the rest is the next one', async () => {
    const store = openMemoryStore();
    const sizes: number[] = [];
    const on = startStage({
      store,
      settings: { senderPendingMax: 1_000 },
      log: (log) => ({
        append(...call) {
          sizes.push(call[2].length);
          return log.append(...call);
        },
      }),
    });
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    sizes.splice(0);
    const writes = Array.from({ length: batchEntriesMax + 44 }, (_, i) =>
      on.rooms.send(lobby, {
        type: 'room.write',
        command: { by: 'alice' as UserId, cid: `c${i}` as never, write: { type: 'send', text: 'x' } },
        replyTo: callbackRef<Answer>('test', () => {}),
      }),
    );
    expect(writes.every((refusal) => refusal === undefined)).toBe(true);
    await turns(20);
    expect(Math.max(...sizes)).toBe(batchEntriesMax);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(batchEntriesMax + 44);
  });

  it('80 % of the commands that may wait in a room is one line', async () => {
    const held = gate();
    const on = startStage({
      settings: { pendingMax: 10 },
      log: (log) => ({
        async append(...call) {
          await held.pass();
          return log.append(...call);
        },
      }),
    });
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    held.shut();
    alice.handle.command(send('lobby', 'first', 'x'), () => {});
    await turns(10);
    for (let i = 0; i < 9; i += 1) {
      alice.handle.command(send('lobby', `c${i}`, 'x'), () => {});
      await turns(6);
    }
    const lines = on.lines.filter(({ ev, msgType }) => ev === 'mailbox.high' && msgType === 'pending');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ kind: 'room', room: 'lobby', mailbox: expect.any(Number) });
    held.release();
    await turns(10);
  });
});

describe('the buffer of early events', () => {
  it('early events are dropped at the bound of a room, and the gap is read', () => {
    const state = new RoomState({ ...testRoomSettings, sharedLog: true, reorderBytesMax: 100_000 });
    const time = { nowMs: 0, wallMs: 0 };
    const log = entriesAfter(emptyHead, [
      { kind: 'room', by: 'alice', room: { kind: 'group', public: true, members: [{ user: 'alice' as UserId, role: 'owner' }] } },
      ...Array.from({ length: 200 }, () => ({ text: 'x'.repeat(2_000) })),
    ]);
    state.handle({ type: 'start' }, time);
    state.handle({ type: 'loaded', head: headAfter(log[0] as never), controls: log.slice(0, 1) }, time);
    state.handle({ type: 'open', key: 1, reader: 'r', user: 'alice' as UserId, since: 1, limit: 50 }, time);
    let highest = 0;
    for (const entry of log.slice(2)) {
      state.handle({ type: 'event', entries: [entry] }, time);
      highest = Math.max(highest, state.earlyBytes);
    }
    expect(highest).toBeGreaterThan(90_000);
    expect(highest).toBeLessThanOrEqual(100_000);
    expect(state.counters.reorderDropped).toBeGreaterThan(100);
    const later = { nowMs: testRoomSettings.gapMs + 1, wallMs: 0 };
    expect(state.handle({ type: 'tick' }, later)).toContainEqual(expect.objectContaining({ type: 'catchUp', after: 1 }));
    state.handle({ type: 'caughtUp', entries: log.slice(1) }, later);
    expect(state.earlyBytes).toBe(0);
  });

  it('above the bound of the node an event is a hint, and nobody misses it', async () => {
    const tally = new RoomTally();
    let reads = 0;
    const on = startStage({
      tally,
      settings: { sharedLog: true },
      log: (log) => ({
        read(...call) {
          reads += 1;
          return log.read(...call);
        },
      }),
    });
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    await alice.done(open('lobby'));
    const [head = emptyHead] = await on.store.log.heads([lobby]);
    const entry = entryAfter(head, { by: 'alice' });
    await on.store.log.append(lobby, head.seq, [entry]);
    tally.move(noLoad, { ...noLoad, earlyBytes: nodeReorderBytesMax });
    reads = 0;
    on.rooms.onEntries(lobby, [entry]);
    await turns(4);
    expect(alice.sink.seqs('lobby')).not.toContain(entry.seq);
    on.clock.advance(200);
    await turns(10);
    expect(alice.sink.seqs('lobby')).toContain(entry.seq);
    expect(reads).toBeGreaterThan(0);
  });
});

describe('reads', () => {
  async function crowd(count: number, held: ReturnType<typeof gate>) {
    const store = openMemoryStore();
    const list: UserRooms['list'] = async (...call) => {
      await held.pass();
      return store.userRooms.list(...call);
    };
    const userRooms = new Proxy(store.userRooms, {
      get(target, name) {
        const value: unknown = name === 'list' ? list : Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const on = startStage({
      store: { ...store, userRooms },
      log: (log) => ({
        async messages(...call) {
          await held.pass();
          return log.messages(...call);
        },
      }),
    });
    const people: StageClient[] = Array.from({ length: count }, (_, i) => on.connect(`user${i}`));
    await (people[0] as StageClient).done(create('lobby'));
    for (const person of people.slice(1)) await person.done(join('lobby'));
    held.shut();
    return people;
  }
  const asked = (person: StageClient | undefined, command: ClientCommand) => {
    const answers: Answer[] = [];
    person?.handle.command(command, (answer) => void answers.push(answer));
    return answers;
  };

  it('the thirty-third page is answered BUSY, and taken again when one is done', async () => {
    const held = gate();
    const people = await crowd(historyReadsMax + 1, held);
    const page: ClientCommand = { type: 'history.get', room: lobby, range: { before: 100, limit: 10 } };
    const running = people.slice(0, historyReadsMax).map((person) => asked(person, page));
    await turns(6);
    const [tooMany, twice] = [asked(people.at(-1), page), asked(people[0], page)];
    await turns(6);
    for (const answers of [tooMany, twice]) expect(answers).toMatchObject([{ ok: false, refusal: { code: 'BUSY', retryAfterMs: 200 } }]);
    held.release();
    await turns(20);
    expect(running.flat().map(codeOf)).toEqual(running.map(() => 'ok'));
    const again = asked(people.at(-1), page);
    await turns(20);
    expect(again.map(codeOf)).toEqual(['ok']);
  });

  it('lists have a bound of their own', async () => {
    const held = gate();
    const people = await crowd(listReadsMax + 1, held);
    const running = people.slice(0, listReadsMax).map((person) => asked(person, { type: 'room.list' }));
    await turns(6);
    const tooMany = asked(people.at(-1), { type: 'room.list' });
    await turns(6);
    expect(tooMany).toMatchObject([{ ok: false, refusal: { code: 'BUSY' } }]);
    held.release();
    await turns(20);
    expect(running.flat().map(codeOf)).toEqual(running.map(() => 'ok'));
  });
});

describe('HTTP', () => {
  it('too many headers are 431, too large a body is 413', async () => {
    const { server, url } = await startTestGateway();
    expect((await rawRequest(url, 'GET', '/healthz', { 'x-long': 'x'.repeat(17_000) })).status).toBe(431);
    expect((await rawRequest(url, 'POST', '/api/rooms', {}, JSON.stringify({ x: 'x'.repeat(9_000) }))).status).toBe(413);
    await server.close(200);
  });
});
