/**
 * WireModel: events between nodes. Loses, doubles, delays and so reorders them; keeps no promise at all.
 */

import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export type WireListener = (room: RoomId, entries: readonly Entry[]) => void;

export class WireModel {
  private readonly world: World;
  private readonly random: Random;
  private readonly listeners: WireListener[] = [];

  constructor(world: World) {
    this.world = world;
    this.random = world.random('wire');
  }

  listen(listener: WireListener): void {
    this.listeners.push(listener);
  }

  /** To every node, the publisher's too; a batch may travel in pieces. */
  publish(room: RoomId, entries: readonly Entry[]): void {
    const { world, random } = this;
    const { options } = world;
    if (!options.wire) return;
    for (const listener of this.listeners) {
      const pieces = entries.length > 1 && random.chance(0.3) ? entries.map((entry) => [entry]) : [entries];
      for (const piece of pieces) {
        // Its faults go on while all else heals, but for loss: a doubled or late event must never hurt.
        if (world.fault(random, options.wireDrop)) {
          world.count('wire: dropped');
          continue;
        }
        const copies = random.chance(options.wireDouble) ? 2 : 1;
        for (let copy = 0; copy < copies; copy += 1) world.after(random.next() * options.wireDelayMaxMs, () => listener(room, piece));
      }
    }
  }
}
