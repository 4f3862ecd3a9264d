/**
 * Directory over HTTP: asks the community service, by the paths that older services have.
 *
 * Guarantees: an answer within two time-outs and a pause; one retry, since a lost packet is no outage; a service that keeps failing is
 * left alone for a while (breaker); at most `callsMax` calls at once, more are answered `unavailable`; a broken answer is no list.
 * Does not: keep anything; directory-cached does.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.ts';
import { idPattern } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { Breaker } from './breaker-state.ts';
import type { Directory, Members, OutsideRooms } from './directory.ts';
import { listBytesMax } from './directory.ts';
import { decodeMembers, decodeRooms } from './directory-answers.ts';
import { CallFailed, callJson } from './http-call.ts';

/** Calls under way at once. */
export const callsMax = 64;
/** Before the retry, up to this. */
const pauseMaxMs = 200;

export interface HttpDirectoryOptions {
  readonly url: string;
  readonly secret: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Logger;
  readonly counts?: DirectoryCounts;
}

/** For metrics. */
export interface DirectoryCounts {
  calls: number;
  failed: number;
  refused: number;
}

type Asked<T> = { readonly type: 'answered'; readonly value: T } | { readonly type: 'nothing' | 'unavailable' };

export function createHttpDirectory(options: HttpDirectoryOptions): Directory {
  const service = new Service(options);
  const members = async (id: string, path: string): Promise<Members> => {
    const asked = await service.ask(id, path, decodeMembers);
    if (asked.type !== 'answered') return asked;
    // A place without members is one that the older service does not know.
    return asked.value.length === 0 ? { type: 'nothing' } : { type: 'listed', members: new Set(asked.value) };
  };
  return {
    isOutside: true,
    description: 'community service over HTTP',
    communityMembers: (community) => members(community, `/community/feign/${community}/member-id`),
    roomMembers: (room) => members(room, `/room/feign/${room}/member-id`),
    async roomsOf(user): Promise<OutsideRooms> {
      const asked = await service.ask(user, `/community/feign/room-list/${user}`, decodeRooms);
      return asked.type === 'answered' ? { type: 'listed', rooms: asked.value } : asked;
    },
    forget: async () => true,
    health: () => service.health(),
    close: async () => service.close(),
  };
}

class Service {
  private readonly options: HttpDirectoryOptions;
  private readonly breaker = new Breaker();
  private readonly ended = new AbortController();
  private calls = 0;

  constructor(options: HttpDirectoryOptions) {
    this.options = options;
    setMaxListeners(callsMax, this.ended.signal);
  }

  /** `id`: the one in the path. Nothing but an id gets into it. */
  async ask<T>(id: string, path: string, decode: (body: unknown) => T | undefined): Promise<Asked<T>> {
    const { clock, chance, counts } = this.options;
    if (!idPattern.test(id)) return { type: 'nothing' };
    if (this.ended.signal.aborted || this.calls >= callsMax || !this.breaker.admit(clock.nowMs())) {
      if (counts) counts.refused += 1;
      return { type: 'unavailable' };
    }
    this.calls += 1;
    try {
      const first = await this.call(path, decode);
      if (first !== 'failed') return first;
      // A service that rests has been asked once too often already.
      if (this.breaker.isOpen || this.ended.signal.aborted) return { type: 'unavailable' };
      await new Promise<void>((resolve) => clock.after(pauseMaxMs * (0.5 + chance() / 2), resolve));
      const second = await this.call(path, decode);
      return second === 'failed' ? { type: 'unavailable' } : second;
    } finally {
      this.calls -= 1;
    }
  }

  private async call<T>(path: string, decode: (body: unknown) => T | undefined): Promise<Asked<T> | 'failed'> {
    const { url: baseUrl, secret, timeoutMs, clock, counts } = this.options;
    if (counts) counts.calls += 1;
    const settings = { baseUrl, secret, timeoutMs, clock, answerBytesMax: listBytesMax };
    try {
      const { status, body } = await callJson({ method: 'GET', path }, settings, true, this.ended.signal);
      if (status === 404) return this.answered({ type: 'nothing' });
      if (status < 200 || status > 299) return this.failed(path, `status ${status}`);
      const value = decode(body);
      return value === undefined ? this.failed(path, 'garbage') : this.answered({ type: 'answered', value });
    } catch (error) {
      return this.failed(path, error instanceof CallFailed ? error.why : 'connection');
    }
  }

  private answered<T>(asked: Asked<T>): Asked<T> {
    if (this.breaker.isOpen) this.options.log.info({ ev: 'directory.up' }, 'the community service answers again');
    this.breaker.succeeded();
    return asked;
  }

  private failed(path: string, why: string): 'failed' {
    const { clock, chance, log, counts } = this.options;
    if (counts) counts.failed += 1;
    if (this.ended.signal.aborted) return 'failed';
    const wasOpen = this.breaker.isOpen;
    this.breaker.failed(clock.nowMs(), chance());
    const about = { ev: 'directory.failed', path, why };
    // Once a second at most while it fails: then it rests.
    if (!wasOpen) log.warn(about, 'the community service did not answer as it should');
    if (!wasOpen && this.breaker.isOpen) {
      log.warn({ ev: 'directory.down', why }, 'the community service keeps failing; it is asked again after a rest');
    }
    return 'failed';
  }

  health(): 'up' | { readonly degraded: string } {
    return this.breaker.isOpen ? { degraded: 'keeps failing: lists that were kept count, nobody else gets into rooms by it' } : 'up';
  }

  close(): void {
    this.ended.abort();
  }
}
