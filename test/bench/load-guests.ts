/**
 * LoadGuests: readers that come and go while others talk (LoadTalk): they stall, are cut, come back by the client library's own
 * back-off and resume where they were.
 *
 * Guarantees: every guest checks every entry, over any number of connections; `settle` says who missed what.
 */
import { backoffMs, systemTiming } from '../../gateway/client/timing.ts';
import type { LoadClient, LoadHandlers } from './load-client.ts';
import { LoadRoom, type Member, newTally, type Tally } from './load-room.ts';
import { connectAs, type LoadTarget } from './load-session.ts';
import { guestsOf, talkRoomOf } from './load-talk.ts';
import { median } from './stats.ts';

export interface GuestSetup extends LoadTarget {
  readonly rooms: number;
  readonly guestsPerRoom: number;
}
export interface StormReport {
  /** Until a guest was connected and had resumed its room: the median guest and the last one. */
  readonly medianBackMs: number;
  readonly lastBackMs: number;
  /** Tries that were refused or lost, of all guests. */
  readonly failedTries: number;
  /** 0 unless they were given up. */
  readonly notBack: number;
}
export interface SettleReport {
  readonly deliveries: number;
  /** Connections the server ended. */
  readonly closed: number;
  readonly violations: readonly string[];
}

const connectsAtOnce = 25;
/** Who is not back or has not everything after this is counted as missing. */
const giveUpAfterMs = 60_000;
const lookMs = 5;

interface OpenAnswer {
  readonly ok: boolean;
  readonly verdict?: string;
  readonly head?: number;
  readonly upTo?: number;
  readonly entries?: readonly { readonly seq: number }[];
  readonly error?: { readonly code: string; readonly retryAfterMs?: number };
}

/** One reader over all its connections. */
class Guest implements LoadHandlers, Member {
  readonly room: LoadRoom;
  cursor = 0;
  closed = 0;
  failedTries = 0;
  /** Monotonic; undefined while it is away. */
  backAtMs: number | undefined;
  readonly #user: string;
  readonly #target: LoadTarget;
  readonly #tally: Tally;
  #client: LoadClient | undefined;
  #attempts = 0;
  #hasOpened = false;

  constructor(user: string, room: LoadRoom, target: LoadTarget, tally: Tally) {
    this.#user = user;
    this.room = room;
    this.#target = target;
    this.#tally = tally;
  }

  /** Tries until it is in its room. */
  async come(): Promise<void> {
    try {
      this.#client = await connectAs(this.#user, this.#target, this);
      this.#open(this.#client);
    } catch (error) {
      const wait = /"retryAfterMs":(\d+)/.exec(String(error))?.[1];
      this.#tryAgain(Number(wait ?? 0));
    }
  }

  cut(): void {
    this.#client?.close();
    this.backAtMs = undefined;
    this.#attempts = 0;
    this.#tryAgain(0);
    this.failedTries = 0;
  }

  stall(): void {
    this.#client?.stall();
  }

  readOn(): void {
    this.#client?.readOn();
  }

  #open(client: LoadClient): void {
    const { arm } = this.#target;
    const body = { room: this.room.id, ...(arm === 'playhouse' && (this.#hasOpened ? { since: this.cursor } : { limit: 1 })) };
    client.ask<OpenAnswer>(arm === 'bare' ? 'join' : 'room:open', body, (answer) => {
      if (!answer.ok) {
        client.close();
        return this.#tryAgain(answer.error?.retryAfterMs ?? 0);
      }
      // Bare socket.io keeps nothing: what was said meanwhile is lost to it.
      if (arm === 'bare') this.cursor = answer.head ?? 0;
      else if (!this.#hasOpened) this.cursor = answer.upTo ?? 0;
      else if (answer.verdict !== 'replay') this.#tally.violations.push(`${this.#user} resumed at ${this.cursor}: ${answer.verdict}`);
      else this.room.receivePage(this, answer.entries ?? [], this.#tally);
      this.#hasOpened = true;
      this.backAtMs = performance.now();
    });
  }

  #tryAgain(waitMs: number): void {
    this.failedTries += 1;
    setTimeout(() => void this.come(), waitMs + backoffMs(this.#attempts, systemTiming));
    this.#attempts += 1;
  }

  onEvent(_client: LoadClient, data: Buffer, start: number, end: number): void {
    this.room.receive(this, data, start, end, this.#tally);
  }

  onAck(): void {}

  onClose(): void {
    this.closed += 1;
    this.backAtMs = undefined;
    this.#attempts = 0;
    this.#tryAgain(0);
  }
}

export class LoadGuests {
  readonly #heads: () => readonly number[];
  readonly #rooms: LoadRoom[] = [];
  readonly #guests: Guest[] = [];
  readonly #tally: Tally = newTally();
  #isChecked = true;

  /** `heads`: the seq that each room's readers must reach. */
  constructor(heads: () => readonly number[]) {
    this.#heads = heads;
  }

  async setup({ arm, port, secret, rooms, guestsPerRoom }: GuestSetup): Promise<void> {
    this.#isChecked = arm === 'playhouse';
    for (let index = 0; index < rooms; index += 1) {
      const room = new LoadRoom(talkRoomOf(index), true);
      this.#rooms.push(room);
      const guests = guestsOf(index, guestsPerRoom).map((user) => new Guest(user, room, { arm, port, secret }, this.#tally));
      room.members.push(...guests);
      this.#guests.push(...guests);
    }
    for (let from = 0; from < this.#guests.length; from += connectsAtOnce)
      await Promise.all(this.#guests.slice(from, from + connectsAtOnce).map((guest) => guest.come()));
    await this.#until(() => this.#away().length === 0);
  }

  stall(): void {
    for (const guest of this.#guests) guest.stall();
  }

  readOn(): void {
    for (const guest of this.#guests) guest.readOn();
  }

  /** All connections are lost in one moment; the guests come back, each by the back-off of the client library. */
  async storm(): Promise<StormReport> {
    const startMs = performance.now();
    for (const guest of this.#guests) guest.cut();
    await this.#until(() => this.#away().length === 0);
    const back = this.#guests.flatMap(({ backAtMs }) => (backAtMs === undefined ? [] : [backAtMs - startMs]));
    return {
      medianBackMs: median(back),
      lastBackMs: Math.max(...back),
      failedTries: this.#guests.reduce((sum, { failedTries }) => sum + failedTries, 0),
      notBack: this.#away().length,
    };
  }

  /** Call it when nobody talks any more: waits until every guest has everything. */
  async settle(): Promise<SettleReport> {
    for (const [index, head] of this.#heads().entries()) (this.#rooms[index] as LoadRoom).headSeq = head;
    const behind = (): number => this.#rooms.reduce((sum, room) => sum + room.behind(), 0);
    if (this.#isChecked) await this.#until(() => behind() === 0);
    const missing = this.#isChecked && behind() > 0 ? [`${behind()} guests have not got everything that was acknowledged`] : [];
    return {
      deliveries: this.#tally.deliveries,
      closed: this.#guests.reduce((sum, { closed }) => sum + closed, 0),
      violations: this.#isChecked ? [...this.#tally.violations, ...missing] : [],
    };
  }

  #away(): Guest[] {
    return this.#guests.filter(({ backAtMs }) => backAtMs === undefined);
  }

  async #until(isSo: () => boolean): Promise<void> {
    const startMs = performance.now();
    while (!isSo() && performance.now() - startMs < giveUpAfterMs) await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
