/**
 * LinkModel: forwards between nodes. Loses, doubles and delays them and their answers; a forward to a dead node is lost in silence or
 * never leaves, one to a frozen node waits until it thaws, and an answer may come from a node that has died since.
 *
 * Keeps one promise, and checks one rule: who is told `notSent` can be sure of it; nobody forwards what was forwarded to them.
 */

import type { WriteCommand } from '../../actors/room-fold.ts';
import type { ForwardResults } from '../../actors/room-protocol.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Random } from './random.ts';
import { Violation, type World } from './world.ts';

export interface Forward {
  readonly room: RoomId;
  readonly from: string;
  readonly to: string;
  readonly commands: readonly WriteCommand[];
  readonly controlSeq: number;
}

export type ForwardReply = (results: ForwardResults | 'notSent' | undefined) => void;

/** The side of a node that others reach. */
export interface LinkTarget {
  readonly incarnation: string;
  readonly isUp: boolean;
  readonly isFrozen: boolean;
  /** Runs it in the process, later when that is frozen, never when it is dead. */
  receive(run: () => void): void;
  onForward(forward: Forward, reply: (results: ForwardResults | undefined) => void): void;
}

/** For so long others take a dead node for a living one. */
const viewLagMs = 500;

export class LinkModel {
  private readonly world: World;
  private readonly random: Random;
  private readonly targets: LinkTarget[] = [];
  private readonly diedAtMs = new Map<string, number>();
  /** Made here, for a node that received them: it must not pass them on. */
  private readonly received = new WeakSet<WriteCommand>();

  constructor(world: World) {
    this.world = world;
    this.random = world.random('link');
  }

  join(target: LinkTarget): void {
    this.targets.push(target);
  }

  died(incarnation: string): void {
    this.diedAtMs.set(incarnation, this.world.nowMs);
  }

  /** As the sender's view of the cluster has it, which is late. */
  isLinked(incarnation: string): boolean {
    if (!this.world.options.link) return false;
    if (this.find(incarnation)) return true;
    return this.world.nowMs - (this.diedAtMs.get(incarnation) ?? Number.NEGATIVE_INFINITY) < viewLagMs;
  }

  private find(incarnation: string): LinkTarget | undefined {
    return this.targets.find((target) => target.isUp && target.incarnation === incarnation);
  }

  send(forward: Forward, reply: ForwardReply): void {
    const { world, random } = this;
    const { options } = world;
    if (forward.commands.some((command) => this.received.has(command)))
      throw new Violation('I16 once', forward.room, `${forward.from} forwards to ${forward.to} what was forwarded to it`);
    const target = this.find(forward.to);
    if (!target) {
      world.count('link: forward to a dead node');
      if (random.chance(0.5)) world.after(random.next(), () => reply('notSent'));
      return;
    }
    if (world.fault(random, options.linkFull)) {
      world.count('link: not sent');
      return reply('notSent');
    }
    if (world.fault(random, options.forwardLost)) {
      world.count('link: forward lost');
      return;
    }
    const copies = random.chance(options.forwardDouble) ? 2 : 1;
    if (copies > 1) world.count('link: forward doubled');
    for (let copy = 0; copy < copies; copy += 1) this.carry(forward, target, reply);
  }

  private delay(): number {
    const { world, random } = this;
    if (!random.chance(world.options.forwardLate)) return random.next() * 2;
    world.count('link: late');
    return random.int(100, 3000);
  }

  private carry(forward: Forward, target: LinkTarget, reply: ForwardReply): void {
    const { world, random } = this;
    // Others than those it was made of, as after a way over the network.
    const commands = forward.commands.map((command) => ({ ...command }));
    for (const command of commands) this.received.add(command);
    world.after(this.delay(), () => {
      if (target.incarnation !== forward.to || !target.isUp) {
        world.count('link: forward to a dead node');
        return;
      }
      if (target.isFrozen) world.count('link: forward to a frozen node');
      target.receive(() => {
        if (target.incarnation !== forward.to) return;
        target.onForward({ ...forward, commands }, (results) => {
          if (world.fault(random, world.options.answerLost)) {
            world.count('link: answer lost');
            return;
          }
          world.after(this.delay(), () => {
            if (target.incarnation !== forward.to || !target.isUp) world.count('link: answer of a dead node');
            reply(results);
            if (random.chance(world.options.forwardDouble)) world.after(this.delay(), () => reply(results));
          });
        });
      });
    });
  }
}
