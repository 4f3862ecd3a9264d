/**
 * TransitionPublisher: tells other services who came and who went: on state-topic, as connect and disconnect with the rooms it concerns;
 * and of voice channels, which users left with their node, or came back to with one that was given up, as nodes tell it of theirs.
 *
 * Guarantees: presence never waits for it; each transition is told once, in order for one user, with the rooms the user is in when it is
 * told. At most once: what waits when the process dies, when too many wait, or when the store was away for a minute, is never told.
 * Does not: know where rooms are looked up or how events leave; both are given.
 */
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { StateEvent } from '../wire/wire.ts';
import { StateServerLog } from './state-server-log.ts';
import { StateTransitionQueue, type TransitionQueueLimits } from './state-transition-queue.ts';
import type { StateNews } from './state-voice-moves.ts';

export const transitionLimits: TransitionQueueLimits = { waitingMax: 10_000, inFlightMax: 8, keptMs: 60_000, retryMs: 1_000 };

export interface TransitionPublisherDeps {
  /** The rooms of a user as other services call them. Rejects while the store is away. */
  readonly roomsOf: (user: string) => Promise<readonly string[]>;
  /** This is the name of a room, of which the user is a member, and no community's. Rejects as well. */
  readonly isOwnRoom: (user: string, community: string) => Promise<boolean>;
  /** Returns at once and does not throw. */
  readonly publish: (event: StateEvent) => void;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly log: Logger;
  readonly limits?: Partial<TransitionQueueLimits>;
}

export class TransitionPublisher {
  readonly #deps: TransitionPublisherDeps;
  readonly #queue: StateTransitionQueue;
  readonly #log: StateServerLog;
  #cancelRetry: (() => void) | undefined;
  #isClosed = false;
  #onEmpty: () => void = () => {};

  constructor(deps: TransitionPublisherDeps) {
    this.#deps = deps;
    this.#queue = new StateTransitionQueue({ ...transitionLimits, ...deps.limits });
    this.#log = new StateServerLog(deps);
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Returns at once; never throws. */
  readonly take = (news: readonly StateNews[]): void => {
    if (this.#isClosed) return;
    this.#tellDropped(this.#queue.push(news, this.#deps.clock.nowMs()), 'too many wait');
    this.#pump();
  };

  /** Waits for those that wait, at most so long; nothing is taken after it. Idempotent. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    let cancel: () => void = () => {};
    await new Promise<void>((resolve) => {
      cancel = this.#deps.clock.after(withinMs, resolve);
      this.#onEmpty = resolve;
      if (this.#queue.size === 0) resolve();
    });
    cancel();
    this.#cancelRetry?.();
    this.#tellDropped(this.#queue.size, 'the state server stops');
  }

  #pump(): void {
    const nowMs = this.#deps.clock.nowMs();
    for (let next = this.#queue.take(nowMs); next !== undefined; next = this.#queue.take(nowMs)) void this.#tell(next);
    const untilMs = this.#queue.pausedUntilMs(nowMs);
    if (untilMs === undefined || this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#deps.clock.after(untilMs - nowMs, () => {
      this.#cancelRetry = undefined;
      this.#pump();
    });
  }

  async #tell(news: StateNews): Promise<void> {
    const { user } = news;
    try {
      this.#deps.publish(await this.#eventOf(news));
      this.#queue.done(user);
    } catch (error) {
      const why = error instanceof Fault ? error.code : error instanceof Error ? error.name : 'unknown';
      this.#log.write('warn', 'state.event.late', { why }, 'the rooms of a user could not be read; other services hear of the user later');
      this.#tellDropped(this.#queue.failed(user, this.#deps.clock.nowMs()), 'the store was away for too long');
    }
    if (this.#queue.size === 0) this.#onEmpty();
    this.#pump();
  }

  async #eventOf(news: StateNews): Promise<StateEvent> {
    const { roomsOf, isOwnRoom } = this.#deps;
    const userId = news.user;
    if (!('channel' in news)) {
      const { state } = news;
      return { type: state === 'online' ? 'connect' : 'disconnect', userId, state, ids: await roomsOf(userId) };
    }
    const { community: communityId, channel: channelId } = news;
    if (news.state === 'entered') return { type: 'enter', userId, communityId, channelId };
    return { type: (await isOwnRoom(userId, communityId)) ? 'exit-room' : 'exit-community', userId, communityId, channelId };
  }

  #tellDropped(count: number, why: string): void {
    if (count > 0) this.#log.write('warn', 'state.event.dropped', { count, why }, 'other services are not told who came or went');
  }
}
