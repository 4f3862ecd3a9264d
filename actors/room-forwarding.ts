/**
 * RoomForwarding: between a room's actor and other nodes: what its state forwards, and what others forwarded to it.
 *
 * Guarantees: whoever forwarded here is answered once, also when the room crashes or ends: then that nothing is known. A forward that is
 * never answered is forgotten soon after the state has taken over, so nobody who drains the room waits for it longer.
 */
import type { Clock } from '../system/clock.ts';
import type { RoomId } from '../system/ids.ts';
import type { Forwarded, RoomForwards } from './node-forwards.ts';
import type { ForwardResults, RoomEffect, RoomInput } from './room-protocol.ts';

type ForwardInput = Extract<RoomInput, { type: 'forwardDone' }>;

/** Longer than the state waits. */
const forgottenMs = 1_500;

export class RoomForwarding {
  private readonly room: RoomId;
  private readonly forwards: RoomForwards | undefined;
  private readonly clock: Pick<Clock, 'after'>;
  private readonly replies = new Map<number, Forwarded['reply']>();
  private lastKey = 0;

  constructor(room: RoomId, { forwards, clock }: { readonly forwards?: RoomForwards; readonly clock: Pick<Clock, 'after'> }) {
    this.room = room;
    this.forwards = forwards;
    this.clock = clock;
  }

  take({ commands, controlSeq, reply }: Forwarded): RoomInput {
    this.lastKey += 1;
    this.replies.set(this.lastKey, reply);
    return { type: 'forwarded', key: this.lastKey, commands, controlSeq };
  }

  answer({ key, results }: Extract<RoomEffect, { type: 'forwardAnswer' }>): void {
    this.replies.get(key)?.(results);
    this.replies.delete(key);
  }

  /** The life that would have answered is over. */
  endAll(): void {
    for (const reply of this.replies.values()) reply(undefined);
    this.replies.clear();
  }

  /** What to hear of it: now when it certainly did not leave, else later. */
  send(effect: Extract<RoomEffect, { type: 'forward' }>): ForwardInput | Promise<ForwardInput> {
    const { id } = effect;
    let done: (results: ForwardResults | undefined) => void = () => {};
    const answered = new Promise<ForwardResults | undefined>((resolve) => {
      done = resolve;
    });
    if (!this.forwards?.forward(this.room, effect, done)) return { type: 'forwardDone', id, results: 'notSent' };
    const forget = this.clock.after(forgottenMs, () => done(undefined));
    return answered.then((results) => {
      forget();
      return { type: 'forwardDone', id, results };
    });
  }
}
