/**
 * NodeModel: one process of the cluster: finds or starts the room's actor for a request, polls heads, hears the wire and
 * the store's tail; crashes, restarts as a new incarnation, pauses, and sometimes runs two actors of one room.
 */

import type { ForwardResults } from '../../actors/room-protocol.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Connection, NodeSide, Request } from './connection.ts';
import type { Forward, LinkModel, LinkTarget } from './link-model.ts';
import type { Random } from './random.ts';
import { type Host, RoomInstance } from './room-instance.ts';
import type { Caller, StoreModel } from './store-model.ts';
import type { WireModel } from './wire-model.ts';
import type { World } from './world.ts';

export class NodeModel implements NodeSide, Host, LinkTarget {
  readonly name: string;
  readonly wire: WireModel;
  readonly link: LinkModel;
  readonly clockOffsetMs: number;
  isUp = true;
  /** This life of the process. */
  process: { isAlive: boolean } & Caller = { isAlive: true };
  private life = 1;
  private instances = 0;
  private readonly world: World;
  private readonly store: StoreModel;
  private readonly random: Random;
  private readonly rooms = new Map<RoomId, RoomInstance[]>();
  /** Rooms whose actor died here: an append of its may still be under way, so the next is not the log's only writer. */
  private readonly bereft = new Set<RoomId>();
  private readonly connections = new Set<Connection>();
  private pausedUntilMs = 0;
  private backlog: (() => void)[] = [];

  constructor(world: World, store: StoreModel, { wire, link }: { wire: WireModel; link: LinkModel }, index: number) {
    this.world = world;
    this.store = store;
    this.wire = wire;
    this.link = link;
    link.join(this);
    this.name = `n${index + 1}`;
    this.random = world.random(`node ${this.name}`);
    this.clockOffsetMs = this.random.int(0, 1000);
    wire.listen((room, entries) => this.receive(() => this.onEvent(room, entries)));
    this.pollSoon();
  }

  get incarnation(): string {
    return `${this.name}.${this.life}`;
  }

  /** Everything that reaches the process goes through here: nothing reaches a dead one, and a paused one later. */
  receive(run: () => void): void {
    if (!this.isUp) return;
    if (this.isFrozen) this.backlog.push(run);
    else run();
  }

  get isFrozen(): boolean {
    return this.world.nowMs < this.pausedUntilMs;
  }

  // ---- the room's actors ----

  live(): RoomInstance[] {
    return [...this.rooms.values()].flat();
  }

  private instance(room: RoomId): RoomInstance {
    const instances = this.rooms.get(room) ?? [];
    if (instances.length > 0) return this.random.pick(instances);
    return this.startRoom(room);
  }

  /** A second one beside it: what a supervisor that starts a room anew too early leaves behind. */
  startRoom(room: RoomId): RoomInstance {
    this.instances += 1;
    const name = `${this.incarnation}${String.fromCharCode(96 + Math.min(26, this.instances))}`;
    const instance = new RoomInstance(this.world, this.store, this, room, name, this.world.options.sharedLog || this.bereft.has(room));
    this.rooms.set(room, [...(this.rooms.get(room) ?? []), instance]);
    if (this.world.isTracing) this.world.say(room, `${name.padEnd(9)} starts`);
    return instance;
  }

  killRoom(instance: RoomInstance, why: string): void {
    if (!instance.isAlive) return;
    if (this.world.isTracing) this.world.say(instance.room, `${instance.name.padEnd(9)} DIES: ${why}`);
    const readers = instance.kill();
    this.forget(instance);
    this.bereft.add(instance.room);
    for (const connection of readers) connection.tell({ type: 'gone', room: instance.room, reason: 'unavailable' });
  }

  private forget(instance: RoomInstance): void {
    const others = (this.rooms.get(instance.room) ?? []).filter((other) => other !== instance);
    if (others.length > 0) this.rooms.set(instance.room, others);
    else this.rooms.delete(instance.room);
  }

  // ---- clients ----

  accept(connection: Connection): void {
    this.connections.add(connection);
  }

  onRequest(connection: Connection, id: number, request: Request): void {
    this.receive(() => {
      if (connection.isClosed) return;
      const { room } = request;
      const opened = (this.rooms.get(room) ?? []).find((instance) => instance.hasReader(connection));
      if (request.type === 'close') return opened?.close(connection);
      const instance = (request.type === 'open' ? opened : undefined) ?? this.instance(room);
      const { user } = connection;
      switch (request.type) {
        case 'command':
          return instance.ask(connection, id, (key) => ({ type: 'command', key, command: request.command }));
        case 'history':
          return instance.ask(connection, id, (key) => ({
            type: 'history',
            key,
            user,
            range: { before: Number.MAX_SAFE_INTEGER, limit: 10 },
          }));
        default: {
          const since = request.since === undefined ? {} : { since: request.since };
          const epoch = request.epoch === undefined ? {} : { epoch: request.epoch };
          return instance.ask(connection, id, (key) => ({
            type: 'open',
            key,
            reader: connection.id,
            user,
            limit: request.limit,
            ...since,
            ...epoch,
          }));
        }
      }
    });
  }

  onCut(connection: Connection): void {
    this.receive(() => {
      if (!this.connections.delete(connection)) return;
      connection.isClosed = true;
      for (const instance of this.live()) if (instance.hasReader(connection)) instance.close(connection);
    });
  }

  // ---- other nodes ----

  onForward({ room, commands, controlSeq }: Forward, reply: (results: ForwardResults | undefined) => void): void {
    const instance = this.instance(room);
    if (instance.machine.isForwarding) this.world.count('link: chase');
    instance.askForwarded((key) => ({ type: 'forwarded', key, commands, controlSeq }), reply);
  }

  // ---- news ----

  private onEvent(room: RoomId, entries: readonly Entry[]): void {
    for (const instance of this.rooms.get(room) ?? []) instance.feed({ type: 'event', entries });
  }

  /** From the store's tail. */
  onTail(room: RoomId, seq: number): void {
    this.receive(() => this.hint(room, seq));
  }

  private hint(room: RoomId, seq: number): void {
    // As on a node whose wire is up or not; in the simulation events may come either way.
    const isAlone = this.random.int(0, 1) === 0;
    for (const instance of this.rooms.get(room) ?? []) instance.feed({ type: 'hint', seq, isAlone });
  }

  private pollSoon(): void {
    this.world.after(this.random.int(1000, 2000), () => {
      if (this.world.options.poll) this.receive(() => this.poll());
      this.pollSoon();
    });
  }

  private poll(): void {
    const rooms = [...this.rooms].filter(([, instances]) => instances.some((instance) => instance.hasReaders)).map(([room]) => room);
    const { process } = this;
    this.store.read(
      process,
      () => rooms.map((room) => ({ room, seq: this.store.log(room).headSeq })),
      (heads) =>
        this.receive(() => {
          if (process.isAlive) for (const { room, seq } of heads) this.hint(room, seq);
        }),
      () => {},
    );
  }

  // ---- faults ----

  crash(): void {
    if (!this.isUp) return;
    if (this.world.isTracing) for (const { room, name } of this.live()) this.world.say(room, `${name.padEnd(9)} DIES: its node is killed`);
    this.world.count('node crash');
    for (const instance of this.live()) instance.kill();
    this.rooms.clear();
    this.bereft.clear();
    this.link.died(this.incarnation);
    this.isUp = false;
    this.process.isAlive = false;
    this.backlog = [];
    for (const connection of this.connections) {
      connection.isClosed = true;
      connection.cut();
    }
    this.connections.clear();
    if (!this.world.options.sharedLog) this.store.failOver();
    this.world.after(this.random.int(50, 2000), () => {
      this.isUp = true;
      this.life += 1;
      this.process = { isAlive: true };
    });
  }

  pause(forMs: number): void {
    if (this.world.isTracing) for (const { room } of this.live()) this.world.say(room, `${this.name.padEnd(9)} PAUSES for ${forMs} ms`);
    this.world.count('node pause');
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.world.nowMs + forMs);
    this.world.after(forMs, () => this.resume());
  }

  private resume(): void {
    if (this.world.nowMs < this.pausedUntilMs) return;
    const waiting = this.backlog;
    this.backlog = [];
    for (const run of waiting) this.receive(run);
  }

  passivate(): void {
    for (const instance of this.live()) {
      if (!instance.machine.isIdle || instance.isBusy) continue;
      this.world.count('passivation');
      instance.kill();
      this.forget(instance);
    }
  }
}
