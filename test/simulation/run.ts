/**
 * Run: one seed, from a seeded room to the settled end. Same seed and options, same run, to the last step.
 */

import { RoomState } from '../../actors/room-state.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import type { Role } from '../../system/store/entry.ts';
import { Authority } from './authority.ts';
import { Checker } from './checker.ts';
import { ClientModel } from './client-model.ts';
import { checkLog } from './final-check.ts';
import { LinkModel } from './link-model.ts';
import { NodeModel } from './node-model.ts';
import type { SimOptions } from './options.ts';
import { StoreModel } from './store-model.ts';
import { WireModel } from './wire-model.ts';
import { type MachineClass, Violation, World } from './world.ts';

export interface RunResult {
  readonly options: SimOptions;
  readonly violation: { readonly invariant: string; readonly room: string; readonly message: string } | undefined;
  readonly counters: Readonly<Record<string, number>>;
  readonly hash: number;
  readonly virtualMs: number;
  readonly lines: readonly { readonly room: string; readonly text: string }[];
}

/** Steps of one run; a run of the true code takes some thousands. More is going round in circles. */
const stepsMax = 200_000;
/** Everything must have settled this long after the last fault. */
const settleMaxMs = 60_000;

export function runSimulation(
  options: SimOptions,
  { machine = RoomState, isTracing = false }: { machine?: MachineClass; isTracing?: boolean } = {},
): RunResult {
  const world = new World(options, machine, isTracing);
  let violation: RunResult['violation'];
  try {
    play(world);
  } catch (error) {
    const isRule = error instanceof Violation;
    violation = {
      invariant: isRule ? error.invariant : 'CRASH',
      room: isRule ? error.room : '',
      message: isRule ? error.message : String(error instanceof Error ? error.stack : error),
    };
  }
  return {
    options,
    violation,
    counters: Object.fromEntries(world.counters),
    hash: world.hash >>> 0,
    virtualMs: world.nowMs,
    lines: world.lines,
  };
}

function play(world: World): void {
  const { options, scheduler } = world;
  const random = world.random('story');
  const nodes: NodeModel[] = [];
  const store = new StoreModel(world, (room, headSeq) => {
    if (!options.tail) return;
    for (const node of nodes) if (!world.fault(random, options.tailDrop)) world.after(random.next() * 5, () => node.onTail(room, headSeq));
  });
  const ways = { wire: new WireModel(world), link: new LinkModel(world) };
  for (let index = 0; index < options.nodes; index += 1) nodes.push(new NodeModel(world, store, ways, index));
  const checker = new Checker(world, store);
  const rooms = Array.from({ length: options.rooms }, (_, index) => `r${index + 1}` as RoomId);
  // The last client is a second device of the first user, where there are three or more.
  const users = Array.from(
    { length: options.clients },
    (_, index) => `u${index + 1 === options.clients && index > 1 ? 1 : index + 1}` as UserId,
  );
  const people = [...new Set(users)];
  for (const room of rooms) {
    const roleOf = (index: number): Role => (index === 0 ? 'owner' : index === 1 ? 'moderator' : 'member');
    const members = people.map((user, index) => ({ user, role: roleOf(index) }));
    store.seed(room, {
      seq: 1,
      n: 0,
      kind: 'room',
      by: people[0] as UserId,
      at: 0,
      cid: 'birth' as Cid,
      writer: 'before',
      room: { kind: random.pick(['group', 'channel']), public: random.chance(0.6), members },
    });
  }
  const clients = users.map(
    (user, index) =>
      new ClientModel(
        world,
        index,
        user,
        people.filter((other) => other !== user),
        rooms,
        nodes,
        checker,
      ),
  );
  planFaults(world, store, nodes, clients, rooms);

  let steps = 0;
  const stepAllUntil = (untilMs: number): void => {
    while (scheduler.step(untilMs))
      if ((steps += 1) > stepsMax) throw new Violation('LIVENESS', rooms[0] as RoomId, `more than ${stepsMax} steps`);
  };
  stepAllUntil(options.faultsMs);
  world.isFaulty = false;
  for (const room of rooms) if (world.isTracing) world.say(room, '---- faults end ----');
  const endMs = scheduler.nowMs + settleMaxMs;
  let unsettled = describeUnsettled(store, checker, clients);
  while (unsettled && scheduler.nowMs < endMs) {
    const untilMs = scheduler.nowMs + 250;
    stepAllUntil(untilMs);
    scheduler.nowMs = Math.max(scheduler.nowMs, untilMs);
    unsettled = describeUnsettled(store, checker, clients);
  }
  for (const room of rooms) checkLog(room, store, checker);
  for (const node of nodes) for (const instance of node.live()) instance.kill();
  if (unsettled) throw new Violation('I12 converge', unsettled.room, unsettled.text);
}

function planFaults(
  world: World,
  store: StoreModel,
  nodes: readonly NodeModel[],
  clients: readonly ClientModel[],
  rooms: readonly RoomId[],
): void {
  const { options } = world;
  const random = world.random('faults');
  const sometime = (run: () => void): void => world.after(random.next() * options.faultsMs, run);
  if (options.sharedLog) for (let index = 0; index < options.failOvers; index += 1) sometime(() => store.failOver());
  for (let index = 0; index < options.pauses; index += 1) sometime(() => random.pick(nodes).pause(random.int(50, 3000)));
  if (options.zombies) {
    for (let index = 0; index < 3; index += 1) {
      sometime(() => {
        const node = random.pick(nodes);
        const room = random.pick(rooms);
        const old = node.live().find((instance) => instance.room === room);
        if (!node.isUp || !old) return;
        world.count('two instances on one node');
        node.startRoom(room);
        world.after(random.int(50, 2000), () => node.killRoom(old, 'the zombie ends'));
      });
    }
  }
  for (const client of clients)
    for (let ms = 1000; ms < options.faultsMs; ms += 1000) world.after(ms + random.int(-900, 0), () => client.maybeFault());
  for (let ms = 500; ms < options.faultsMs; ms += 500) {
    world.after(ms, () => {
      for (const node of nodes) if (random.chance(options.passivate)) node.passivate();
    });
  }
}

/** What is still to come, in words: a send without a verdict, a member that has not got everything. */
function describeUnsettled(
  store: StoreModel,
  checker: Checker,
  clients: readonly ClientModel[],
): { room: string; text: string } | undefined {
  for (const send of checker.sends)
    if (!send.isDecided) return { room: send.room, text: `${send.witness.name} ${send.command.cid} is not decided` };
  for (const client of clients) {
    for (const view of client.views) {
      const log = store.log(view.room);
      if (log.docs.length > log.commitCount) return { room: view.room, text: 'the store has not committed everything' };
      const authority = new Authority();
      for (const entry of log.committed()) authority.apply(entry);
      if (!authority.isMember(client.user) || (view.isOpen && view.last === log.headSeq)) continue;
      return {
        room: view.room,
        text: `${client.name} ${client.user} has ${view.last ?? 'nothing'} of ${log.headSeq}${view.isOpen ? '' : ', not open'}`,
      };
    }
  }
  return undefined;
}
