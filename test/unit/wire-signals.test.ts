/**
 * What is never stored, between nodes: typing and read marks of people on other nodes, as people see them.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { ClientCommand } from '../../actors/client-command.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import type { RoomSignal } from '../../system/wire/wire.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { create, join, open, type Stage, type StageClient, send, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);

const lobby = 'lobby' as RoomId;
const typing: ClientCommand = { type: 'typing', room: lobby };
const mark = (seq: number): ClientCommand => ({ type: 'read.mark', room: lobby, seq });
const typingSignal = (user: string, isTyping = true): RoomSignal => ({ type: 'typing', user: user as UserId, isTyping });
const readSignal = (user: string, seq: number): RoomSignal => ({
  type: 'read',
  mark: { user: user as UserId, seq, n: seq },
  isImplied: false,
});
const shown = ({ sink }: StageClient): string[][] => (sink.events('typing') as { users: string[] }[]).map(({ users }) => users);
const reads = ({ sink }: StageClient): string[] =>
  (sink.events('read') as { marks: { user: string; seq: number }[] }[]).flatMap(({ marks }) =>
    marks.map(({ user, seq }) => `${user} ${seq}`),
  );

async function pass(nodes: readonly Stage[], ms: number): Promise<void> {
  for (let step = 0; step < 6; step += 1) {
    for (const { clock } of nodes) clock.advance(ms / 6);
    await turns(4);
  }
}

/** Two nodes on one store. Alice reads on the first, Bob on the second; `intruder` is a wire of neither. */
async function twoNodes() {
  const store = openMemoryStore();
  const hub = createMemoryWireHub();
  const settings = { sharedLog: true };
  const nodes = ['one', 'two'].map((name) => startStage({ store, wire: hub.join(name), settings })) as [Stage, Stage];
  const alice = nodes[0].connect('alice');
  const bob = nodes[1].connect('bob');
  await alice.done(create('lobby'));
  await bob.done(join('lobby'));
  await alice.done(open('lobby', 0));
  await bob.done(open('lobby', 0));
  await pass(nodes, 300);
  return { nodes, alice, bob, intruder: hub.join('intruder') };
}

describe('typing of a user on another node', () => {
  it('is shown, and ends by a message, with the last connection, and by itself when no end comes', async () => {
    const { nodes, alice, bob, intruder } = await twoNodes();
    await alice.done(typing);
    await turns();
    expect(shown(bob)).toEqual([['alice']]);
    await alice.done(send('lobby', 'c1', 'hello'));
    await turns();
    expect(shown(bob)).toEqual([['alice'], []]);
    await alice.done(typing);
    await alice.done({ type: 'room.close', room: lobby });
    await turns();
    expect(shown(bob)).toEqual([['alice'], [], ['alice'], []]);
    intruder.signal(lobby, 'group', typingSignal('alice')); // The last word of a node that dies.
    await turns();
    await pass(nodes, 5_500);
    expect(shown(bob).at(-1)).toEqual(['alice']);
    await pass(nodes, 1_000);
    expect(shown(bob).at(-1)).toEqual([]);
  });

  it('goes on for as long as it is repeated, at a signal each two seconds however often', async () => {
    const { nodes, alice, bob, intruder } = await twoNodes();
    const signals: RoomSignal[] = [];
    intruder.subscribe({ wants: () => true, onEntries: () => {}, onSignal: (_room, signal) => void signals.push(signal) });
    for (let step = 0; step < 20; step += 1) {
      await alice.done(typing);
      await pass(nodes, 600);
    }
    expect(shown(bob)).toEqual([['alice']]);
    expect(signals.length).toBeLessThanOrEqual(6);
  });

  it('does not end because the same user closes the room elsewhere', async () => {
    const { nodes, alice, bob } = await twoNodes();
    const other = nodes[1].connect('alice');
    await other.done(open('lobby', 0));
    await alice.done(typing);
    await turns();
    await other.done({ type: 'room.close', room: lobby });
    await turns();
    expect(shown(bob)).toEqual([['alice']]);
  });

  it('is not shown of somebody who is no member, nor in a room that nobody knows', async () => {
    const { nodes, alice, bob, intruder } = await twoNodes();
    intruder.signal(lobby, 'group', typingSignal('eve'));
    intruder.signal('nowhere' as RoomId, 'group', typingSignal('alice'));
    await turns();
    expect([...shown(alice), ...shown(bob)]).toEqual([]);
    expect(nodes.map(({ rooms }) => rooms.isActive('nowhere' as RoomId))).toEqual([false, false]);
  });
});

describe('a read mark made on another node', () => {
  it('is shown to those who read along, and to the own devices there, each once, and rising', async () => {
    const { nodes, alice, bob, intruder } = await twoNodes();
    const [open2, closed] = [nodes[1].connect('alice'), nodes[1].connect('alice')];
    await open2.done(open('lobby', 0));
    for (const cid of ['a', 'b', 'c']) await bob.done(send('lobby', cid, cid));
    await pass(nodes, 1_500);
    const before = [bob, open2, closed].map((client) => reads(client).length);
    await alice.done(mark(4));
    await pass(nodes, 300);
    expect([bob, open2, closed].map((client, at) => reads(client).slice(before[at]))).toEqual([['alice 4'], ['alice 4'], ['alice 4']]);
    intruder.signal(lobby, 'group', readSignal('alice', 3)); // Overtaken.
    await pass(nodes, 300);
    expect(reads(closed).at(-1)).toBe('alice 4');
    expect(reads(alice)).not.toContain('alice 3');
  });

  it('reaches a device there that has the room neither open nor awake, after the room has been asked', async () => {
    const store = openMemoryStore();
    const hub = createMemoryWireHub();
    const settings = { sharedLog: true };
    const nodes = ['one', 'two'].map((name) => startStage({ store, wire: hub.join(name), settings })) as [Stage, Stage];
    const [desk, phone, other] = [nodes[0].connect('alice'), nodes[1].connect('alice'), nodes[1].connect('carol')];
    await desk.done(create('lobby'));
    await desk.done(send('lobby', 'a', 'a'));
    await pass(nodes, 1_500); // What it wrote, it has read.
    await pass(nodes, 300);
    expect(reads(phone)).toEqual(['alice 2']);
    expect(reads(other)).toEqual([]);
  });

  it('is not shown of somebody who is no member, nor of a room that nobody knows', async () => {
    const { nodes, alice, bob, intruder } = await twoNodes();
    const eve = nodes[0].connect('eve');
    intruder.signal(lobby, 'group', readSignal('eve', 2));
    intruder.signal('nowhere' as RoomId, 'group', readSignal('eve', 2));
    await pass(nodes, 300);
    expect([alice, bob, eve].flatMap(reads)).toEqual([]);
  });
});
