/**
 * A state server that has a place to keep its sessions in, and the next one that begins with them. Bytes over TCP, time by hand.
 */
import { afterEach, expect, it } from 'vitest';
import { createMemoryKeepPlace } from '../../system/state/state-keep-memory.ts';
import { alice, offline, online, put, snapshot } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

const stages: StateServerStage[] = [];
const place = () => {
  const kept = createMemoryKeepPlace();
  return async (): Promise<StateServerStage> => {
    const stage = await startStateStage({ keep: kept.open(), settleMs: 2_500 });
    stages.push(stage);
    return stage;
  };
};
afterEach(() => Promise.all(stages.splice(0).map((stage) => stage.stop())));

/** A first server that was killed: nothing of it is stopped in order. Alice is on node a, bob and cid on b, user 1 at an older client. */
async function afterFirst() {
  const next = place();
  const first = await next();
  await (await first.node('a')).request(snapshot(1, [alice]));
  const b = await first.node('b');
  await b.request(put(1, ['s-2', 'bob', 'room-7'], ['s-3', 'cid', 'home']));
  const older = await first.open();
  await older.ask("{type='login', session_id='S', user_id='1'}");
  await older.ask("{type='state', user_id='1', channel_id='r-7'}");
  return next();
}

it('knows at once who was online, and tells nobody of it as news', async () => {
  const second = await afterFirst();
  const watcher = await second.node('c');
  await watcher.request(snapshot(1, [], ['alice', 'bob', '1', 'nobody']));
  expect(await second.changes(watcher)).toEqual([online('alice', 'home'), online('bob', 'room-7'), online('1', 'r-7')]);
  expect(second.transitions).toEqual([]);
  expect(second.log).toContainEqual(expect.objectContaining({ ev: 'state.kept', count: 4 }));
});

it('gives nodes their grace: who comes back is never offline, who does not is after 8 s, and each goes but once', async () => {
  const second = await afterFirst();
  const watcher = await second.node('c');
  await watcher.request(snapshot(1, [], ['alice', 'bob', 'cid']));
  expect(await second.changes(watcher)).toEqual([online('alice', 'home'), online('bob', 'room-7'), online('cid', 'home')]);
  const b = await second.node('b');
  // Cid left and dan came while no server was there.
  await b.request(
    snapshot(1, [
      ['s-2', 'bob', 'room-7'],
      ['s-4', 'dan', 'home'],
    ]),
  );
  for (let second_ = 1; second_ <= 4; second_ += 1) {
    second.clock.advance(2_000);
    for (const node of [watcher, b]) node.say({ type: 'ping', id: second_ + 10 });
    await b.heard();
  }
  expect(second.transitions).toEqual([
    { user: 'dan', state: 'online' },
    { user: 'cid', state: 'offline' },
    { user: 'alice', state: 'offline' },
  ]);
  const rows = watcher.lines.map((line) => JSON.parse(line) as { states?: unknown[] }).flatMap(({ states }) => states ?? []);
  expect(rows).toEqual([offline('cid'), offline('alice')]);
});

it('a node of another life than the kept one replaces it, and sessions of before end with their grace', async () => {
  const second = await afterFirst();
  const a = await second.node('a', 'a.2');
  await a.request(snapshot(1, [['s-9', 'alice', 'home']]));
  for (let id = 2; id < 8; id += 1) {
    second.clock.advance(2_000);
    await a.request({ type: 'ping', id });
  }
  expect(second.transitions).toEqual([
    { user: 'bob', state: 'offline' },
    { user: 'cid', state: 'offline' },
  ]);
  expect(second.server.counts()).toMatchObject({ lives: 1, sessions: 2 });
});

it("an older client's session lives on for its 24 hours, with its place", async () => {
  const second = await afterFirst();
  const hours = async (count: number): Promise<void> => {
    for (let hour = 0; hour < count; hour += 1) second.clock.advance(3_600_000);
  };
  await hours(23);
  const older = await second.open();
  expect(await older.ask("{type='direct', channel_id='r-7', ids=[1, 2]}")).toBe('[2]');
  await hours(2);
  expect(await older.ask("{type='logout', session_id='S'}")).toBe('null,null');
});
