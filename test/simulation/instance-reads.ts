/**
 * InstanceReads: the reads of the store that a room's effects ask for, each answered by exactly one input.
 *
 * An effect that needs two reads makes them at two moments, as two calls to a store are.
 */
import type { TargetFact } from '../../actors/room-fold.ts';
import type { RoomEffect, RoomInput } from '../../actors/room-protocol.ts';
import type { RoomId } from '../../system/ids.ts';
import { type Entry, emptyHead, headAfter, isControl, isMessage } from '../../system/store/entry.ts';
import type { Random } from './random.ts';
import type { StoreLog } from './store-log.ts';
import type { Caller, StoreModel } from './store-model.ts';

export type ReadEffect = Extract<RoomEffect, { type: 'load' | 'resolve' | 'readFacts' | 'catchUp' | 'range' | 'page' }>;

export class InstanceReads {
  private readonly store: StoreModel;
  private readonly log: StoreLog;
  private readonly caller: Caller;
  private readonly random: Random;
  /** Runs what comes back in the process of the caller. */
  private readonly receive: (run: () => void) => void;

  constructor(store: StoreModel, room: RoomId, caller: Caller, random: Random, receive: (run: () => void) => void) {
    this.store = store;
    this.log = store.log(room);
    this.caller = caller;
    this.random = random;
    this.receive = receive;
  }

  carryOut(effect: ReadEffect, result: (input: RoomInput) => void): void {
    const { log } = this;
    switch (effect.type) {
      case 'load': {
        const failed = (): void => result({ type: 'loadFailed' });
        const controls = (last: Entry | undefined): Entry[] =>
          log.committed().filter((entry) => isControl(entry) && entry.seq <= (last?.seq ?? 0));
        const loaded = (last: Entry | undefined, entries: Entry[]): void =>
          result({ type: 'loaded', head: last ? headAfter(last) : emptyHead, controls: entries });
        return this.twice(() => log.at(log.headSeq), controls, loaded, failed);
      }
      case 'resolve': {
        const failed = (): void => result({ type: 'resolveFailed' });
        const byIds = (): Entry[] => effect.ids.flatMap(({ by, cid }) => log.stored(by, cid) ?? []);
        const after = (): Entry[] => log.after(effect.after, effect.limit);
        if (this.random.chance(0.5))
          return this.twice(byIds, after, (found, entries) => result({ type: 'resolved', entries, found }), failed);
        return this.twice(after, byIds, (entries, found) => result({ type: 'resolved', entries, found }), failed);
      }
      case 'readFacts': {
        const failed = (): void => result({ type: 'factsFailed' });
        const entries = (): (Entry | undefined)[] => effect.targets.map((target) => log.at(target));
        const deleted = (): boolean[] => effect.targets.map((target) => log.isDeleted(target));
        const read = (found: (Entry | undefined)[], isDeleted: boolean[]): void =>
          result({
            type: 'factsRead',
            facts: effect.targets.map((target, at) => ({ target, fact: factOf(found[at], isDeleted[at] === true) })),
          });
        return this.twice(entries, deleted, read, failed);
      }
      case 'catchUp':
        return this.once(
          () => log.after(effect.after, effect.limit),
          (entries) => result({ type: 'caughtUp', entries }),
          () => result({ type: 'catchUpFailed' }),
        );
      case 'range': {
        const { reader } = effect;
        return this.once(
          () => log.after(effect.after, effect.limit),
          (entries) => result({ type: 'rangeRead', reader, entries }),
          () => result({ type: 'rangeFailed', reader }),
        );
      }
      default: {
        const { reader, limit, upTo } = effect;
        return this.once(
          () => log.committed().filter((entry) => isMessage(entry) && entry.seq <= upTo),
          (messages) => result({ type: 'pageRead', reader, entries: messages.slice(-limit), more: messages.length > limit }),
          () => result({ type: 'pageFailed', reader }),
        );
      }
    }
  }

  private once<T>(at: () => T, then: (value: T) => void, failed: () => void): void {
    this.store.read(
      this.caller,
      at,
      (value) => this.receive(() => then(value)),
      () => this.receive(failed),
    );
  }

  private twice<A, B>(first: () => A, second: (a: A) => B, then: (a: A, b: B) => void, failed: () => void): void {
    this.once(
      first,
      (a) =>
        this.once(
          () => second(a),
          (b) => then(a, b),
          failed,
        ),
      failed,
    );
  }
}

function factOf(entry: Entry | undefined, isDeleted: boolean): TargetFact {
  if (!entry || !isMessage(entry)) return 'absent';
  return { by: entry.by, deleted: isDeleted || entry.scrubbed === true };
}
