/**
 * RoomInstance: the carrier. Feeds one RoomState with inputs, carries out its effects in order, and dies at any of them.
 *
 * Keeps the carrier's rules of room-protocol.ts: a refused sink takes nothing until `ready`, and `refused` goes in
 * before anything that came meanwhile.
 */

import type { ForwardResults, ReaderId, RoomEffect, RoomInput, Time } from '../../actors/room-protocol.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Connection, Frame } from './connection.ts';
import { InstanceReads } from './instance-reads.ts';
import type { LinkModel } from './link-model.ts';
import { sizesOf, waitingIn } from './probe.ts';
import type { Random } from './random.ts';
import type { Caller, StoreModel } from './store-model.ts';
import { show } from './trace-lines.ts';
import type { WireModel } from './wire-model.ts';
import { type Machine, Violation, type World } from './world.ts';

/** What the instance needs of the process it lives in. */
export interface Host {
  readonly incarnation: string;
  readonly clockOffsetMs: number;
  readonly process: Caller;
  readonly wire: WireModel;
  readonly link: LinkModel;
  receive(run: () => void): void;
  crash(): void;
  killRoom(instance: RoomInstance, why: string): void;
}

type Ask = { readonly connection: Connection; readonly request: number };

export class RoomInstance {
  readonly name: string;
  readonly room: RoomId;
  readonly machine: Machine;
  isAlive = true;
  private readonly world: World;
  private readonly store: StoreModel;
  private readonly node: Host;
  private readonly random: Random;
  private readonly reads: InstanceReads;
  private readonly queue: RoomInput[] = [];
  private isFlushing = false;
  private outstanding = 0;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private readonly asks = new Map<number, Ask>();
  private readonly forwards = new Map<number, (results: ForwardResults | undefined) => void>();
  private nextKey = 1;
  private readonly readers = new Map<ReaderId, Connection>();
  private readonly attached = new Set<ReaderId>();
  private readonly blocked = new Set<ReaderId>();

  constructor(world: World, store: StoreModel, node: Host, room: RoomId, name: string, sharedLog: boolean) {
    this.world = world;
    this.store = store;
    this.node = node;
    this.room = room;
    this.name = name;
    this.random = world.random(`instance ${name} ${room}`);
    this.reads = new InstanceReads(store, room, this, this.random, (run) => node.receive(run));
    this.machine = new world.machine({
      ...world.options.settings,
      sharedLog,
      writer: node.incarnation,
      canForward: (writer) => node.link.isLinked(writer),
    });
    this.feed({ type: 'start' });
  }

  get isBusy(): boolean {
    return this.queue.length > 0 || this.outstanding > 0 || this.readers.size > 0;
  }

  get hasReaders(): boolean {
    return this.readers.size > 0;
  }

  hasReader(connection: Connection): boolean {
    return this.readers.has(connection.id);
  }

  /** A request of a client; answered to that connection. */
  ask(connection: Connection, request: number, make: (key: number) => RoomInput): void {
    const key = this.nextKey++;
    this.asks.set(key, { connection, request });
    const input = make(key);
    if (input.type === 'open') this.readers.set(connection.id, connection);
    this.feed(input);
  }

  /** A forward of another node; answered to it. */
  askForwarded(make: (key: number) => RoomInput, reply: (results: ForwardResults | undefined) => void): void {
    const key = this.nextKey++;
    this.forwards.set(key, reply);
    this.feed(make(key));
  }

  /** Whoever asks a living room is answered, be it only that it took too long. */
  private expectAnswer(key: number, cid: string): void {
    const { world, node } = this;
    const check = (): void => {
      if (this.isAlive && this.asks.has(key)) throw new Violation('I17 answered', this.room, `${this.name} never answers ${cid}`);
    };
    world.after(world.options.settings.ackDeadlineMs + 100, () => node.receive(() => world.after(20, () => node.receive(check))));
  }

  close(connection: Connection): void {
    this.readers.delete(connection.id);
    this.feed({ type: 'close', reader: connection.id });
  }

  feed(input: RoomInput): void {
    if (!this.isAlive) return;
    this.queue.push(input);
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.isFlushing || this.queue.length === 0) return;
    this.isFlushing = true;
    this.world.after(this.random.next() < 0.5 ? 0 : this.random.next(), () => this.node.receive(() => this.flush()));
  }

  private flush(): void {
    this.isFlushing = false;
    if (!this.isAlive || this.queue.length === 0) return;
    const inputs = this.world.options.batchTurns ? this.queue.splice(0) : this.queue.splice(0, 1);
    for (const input of inputs) if (input.type === 'ready' && this.blocked.delete(input.reader)) this.world.count('paused reader resumed');
    for (const input of inputs) if (input.type === 'command') this.expectAnswer(input.key, input.command.cid);
    const effects = this.machine.handle(inputs, this.time());
    this.world.mark(inputs[0]?.type ?? '', effects.length);
    if (this.world.isTracing) this.trace(inputs, effects);
    for (const [index, effect] of effects.entries()) {
      if (this.mayDie(effects.slice(index).some(isAck))) return;
      this.perform(effect);
    }
    if (this.machine.isForwarding && this.machine.pendingCount > 0) this.world.count('link: behind a forward');
    if (this.world.options.stateChecks) this.checkState(inputs);
    this.setTimer();
    this.flushSoon();
  }

  private time(): Time {
    return {
      nowMs: this.world.nowMs + this.node.clockOffsetMs,
      wallMs: 1_700_000_000_000 + Math.round(this.world.nowMs) + this.node.clockOffsetMs,
    };
  }

  /** A crash at this await. isAckLost: an append is known to be in, its acknowledgement is not out. */
  private mayDie(isAckLost: boolean): boolean {
    if (!this.isAlive) return true;
    const { world, random } = this;
    const { nodeCrash, roomCrash } = world.options;
    const isNode = world.fault(random, nodeCrash);
    if (!isNode && !world.fault(random, roomCrash)) return false;
    if (isAckLost) world.count('crash between append and ack');
    if (isNode) this.node.crash();
    else this.node.killRoom(this, 'its actor crashed');
    return true;
  }

  // ---- effects ----

  private perform(effect: RoomEffect): void {
    const { store, room } = this;
    switch (effect.type) {
      case 'load':
      case 'resolve':
      case 'readFacts':
      case 'catchUp':
      case 'range':
      case 'page':
        this.outstanding += 1;
        return this.reads.carryOut(effect, (input) => this.result(input));
      case 'append':
        this.outstanding += 1;
        return store.append(room, effect.after, effect.entries, this.node.process, (outcome) => {
          this.node.receive(() => this.result({ type: 'appendDone', outcome }, outcome === 'appended'));
        });
      case 'history': {
        const asked = this.asks.get(effect.key);
        this.asks.delete(effect.key);
        asked?.connection.tell({
          type: 'answer',
          room,
          request: asked.request,
          from: this.name,
          outcome: { type: 'page', upTo: effect.upTo },
        });
        return;
      }
      case 'answer': {
        const asked = this.asks.get(effect.key);
        if (!asked) throw new Violation('CRASH', room, `${this.name} answers ${effect.key} twice or unasked`);
        this.asks.delete(effect.key);
        asked.connection.tell({ type: 'answer', room, request: asked.request, from: this.name, outcome: effect.outcome });
        return;
      }
      case 'deliver':
        for (const id of this.attached) this.emit(id, effect.entries);
        return;
      case 'emit':
        return this.emit(effect.reader, effect.entries);
      case 'attach':
        if (!this.blocked.has(effect.reader)) this.attached.add(effect.reader);
        return;
      case 'detach':
        return this.detach(effect.reader);
      case 'gone':
        this.detach(effect.reader);
        if (effect.reason === 'kicked') this.world.count('kicked reader cut off');
        this.readers.get(effect.reader)?.tell({ type: 'gone', room, reason: effect.reason });
        return;
      case 'forward': {
        const { id, to, commands, controlSeq } = effect;
        const from = this.node.incarnation;
        return this.node.link.send({ room, from, to, commands, controlSeq }, (results) =>
          this.node.receive(() => {
            if (this.isAlive && !this.mayDie(results !== 'notSent' && results?.some((result) => result) === true))
              this.feed({ type: 'forwardDone', id, results });
          }),
        );
      }
      case 'forwardAnswer': {
        const reply = this.forwards.get(effect.key);
        if (!reply) throw new Violation('CRASH', room, `${this.name} answers forward ${effect.key} twice or unasked`);
        this.forwards.delete(effect.key);
        return reply(effect.results);
      }
      case 'publish':
        return this.node.wire.publish(room, effect.entries);
      case 'mark': // Not asked here.
      case 'membership':
      case 'note':
        return;
    }
  }

  private detach(id: ReaderId): void {
    this.attached.delete(id);
    if (!this.blocked.delete(id)) return;
    const refusal = this.queue.findIndex((input) => input.type === 'refused' && input.reader === id);
    if (refusal >= 0) this.queue.splice(refusal, 1); // It speaks of an attachment that is over.
  }

  private emit(id: ReaderId, entries: readonly Entry[]): void {
    const connection = this.readers.get(id);
    if (!connection || this.blocked.has(id)) return;
    const frame: Frame = { type: 'entries', room: this.room, entries };
    const isTaken = connection.send(frame, () => this.node.receive(() => this.feed({ type: 'ready', reader: id })));
    if (isTaken) return;
    this.blocked.add(id);
    this.attached.delete(id);
    if (connection.isClosed) return;
    const firstOther = this.queue.findIndex((input) => input.type !== 'refused');
    this.queue.splice(firstOther < 0 ? this.queue.length : firstOther, 0, {
      type: 'refused',
      reader: id,
      after: (entries[0] as Entry).seq - 1,
    });
  }

  private result(input: RoomInput, isAckDue = false): void {
    if (!this.isAlive || this.mayDie(isAckDue)) return;
    this.outstanding -= 1;
    this.feed(input);
  }

  // ---- time and checks ----

  private setTimer(): void {
    const wakeAtMs = this.machine.wakeAtMs();
    if (wakeAtMs === undefined) return;
    const atMs = wakeAtMs - this.node.clockOffsetMs;
    if (atMs >= this.timerAtMs) return;
    this.timerAtMs = atMs;
    this.world.after(Math.max(0, atMs - this.world.nowMs) + this.random.next(), () =>
      this.node.receive(() => {
        if (this.timerAtMs !== atMs) return;
        this.timerAtMs = Number.POSITIVE_INFINITY;
        this.feed({ type: 'tick' });
      }),
    );
  }

  private checkState(inputs: readonly RoomInput[]): void {
    const { machine, room, name } = this;
    const { settings } = this.world.options;
    const wakeAtMs = machine.wakeAtMs();
    const waiting = waitingIn(machine);
    const isServed = this.outstanding > 0 || this.queue.length > 0;
    if (waiting && !isServed && wakeAtMs === undefined)
      throw new Violation('LIVENESS', room, `${name}: ${waiting} wait, nothing is outstanding and no tick is due`);
    if (wakeAtMs !== undefined && wakeAtMs <= this.time().nowMs && inputs.some((input) => input.type === 'tick')) {
      throw new Violation('SPIN', room, `${name}: after a tick another is due at once`);
    }
    const sizes = sizesOf(machine);
    if (sizes.pending > settings.pendingMax + settings.batchEntriesMax)
      throw new Violation('I13 bounded', room, `${name}: ${sizes.pending} pending`);
    if (sizes.early > settings.reorderEntriesMax) throw new Violation('I13 bounded', room, `${name}: ${sizes.early} in the reorder buffer`);
    if (sizes.recent > 2 * settings.recentEntriesMax) throw new Violation('I13 bounded', room, `${name}: ${sizes.recent} recent entries`);
  }

  /** The state is thrown away; nothing it still waits for reaches it. */
  kill(): Connection[] {
    this.isAlive = false;
    this.queue.length = 0;
    for (const [name, value] of Object.entries(this.machine.counters)) this.world.count(`room: ${name}`, value);
    return [...this.readers.values()];
  }

  private trace(inputs: readonly RoomInput[], effects: readonly RoomEffect[]): void {
    for (const input of inputs) this.world.say(this.room, `${this.name.padEnd(9)} < ${show(input)}`);
    for (const effect of effects) this.world.say(this.room, `${this.name.padEnd(9)}   > ${show(effect)}`);
  }
}

function isAck(effect: RoomEffect): boolean {
  return effect.type === 'answer' && effect.outcome.type === 'stored' && !effect.outcome.dup;
}
