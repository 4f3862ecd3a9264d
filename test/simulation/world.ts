/**
 * World: what all parts of one simulated run share: time, chance, counters, the trace and its hash.
 */
import type { RoomSettings } from '../../actors/room-protocol.ts';
import type { RoomState } from '../../actors/room-state.ts';
import type { SimOptions } from './options.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';

/** The machine under test: the real one, or a patched copy of its source. */
export type Machine = Pick<RoomState, keyof RoomState>;
export type MachineClass = new (settings: RoomSettings) => Machine;

/** A rule that was broken. `invariant` is one of the names at the top of checker.ts, or LIVENESS, SPIN, CRASH. */
export class Violation extends Error {
  readonly invariant: string;
  readonly room: string;
  constructor(invariant: string, room: string, detail: string) {
    super(`${invariant} ${room}: ${detail}`);
    this.invariant = invariant;
    this.room = room;
  }
}

export class World {
  readonly options: SimOptions;
  readonly machine: MachineClass;
  readonly scheduler = new Scheduler();
  readonly counters = new Map<string, number>();
  readonly lines: { readonly room: string; readonly text: string }[] = [];
  readonly isTracing: boolean;
  /** Faults and new commands go on; false: settling. */
  isFaulty = true;
  hash = 0x811c9dc5;
  private readonly root: Random;

  constructor(options: SimOptions, machine: MachineClass, isTracing: boolean) {
    this.options = options;
    this.machine = machine;
    this.isTracing = isTracing;
    this.root = new Random(options.seed);
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  random(label: string): Random {
    return this.root.fork(label);
  }

  after(delayMs: number, run: () => void): void {
    this.scheduler.after(delayMs, run);
  }

  /** The chance of a fault; none while settling. */
  fault(random: Random, probability: number): boolean {
    return this.isFaulty && random.chance(probability);
  }

  count(name: string, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  /** Something happened: part of the run's fingerprint. */
  mark(text: string, value: number): void {
    let { hash } = this;
    for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    this.hash = Math.imul(hash ^ value ^ Math.round(this.nowMs * 1000), 0x01000193);
  }

  /** A line of the trace; call it only when `isTracing`. */
  say(room: string, text: string): void {
    this.lines.push({ room, text: `${this.nowMs.toFixed(1).padStart(9)} ${text}` });
  }
}
