/**
 * UserState: what a node knows of one user: the sessions here, and what the state server says of all nodes. Pure.
 *
 * Guarantees: online as soon as there is a session; a session that was lost holds for `lingerMs` more, so that a short break is
 * nobody's news; one that was left on purpose ends at once, unless it has only begun or its user comes and goes all the time.
 * Does not: decide who may see a place (`presence-feed` does).
 */
import type { SessionId, UserId } from '../system/ids.ts';

/** Where a session is that looks at no room. */
export const home = 'home';

/** left: on purpose. lost: the connection broke. silent: it answered no ping for `silenceMs` already. */
export type Departure = 'left' | 'lost' | 'silent';

export type PresenceState = 'online' | 'offline' | 'unknown';

/** One user as one watcher sees them. Same object, same content: it is encoded once for all who see it so. */
export interface PresenceView {
  readonly user: UserId;
  readonly state: PresenceState;
  /** A room. Left out: none that the watcher may know of. */
  readonly place?: string;
}

/** A user as announced, before it is decided who may see which place. */
export class Appearance {
  readonly state: PresenceState;
  readonly places: readonly string[];
  private bare: PresenceView | undefined;
  private placed: PresenceView | undefined;
  private readonly user: UserId;

  constructor(user: UserId, state: PresenceState, places: readonly string[]) {
    this.user = user;
    this.state = state;
    this.places = places;
  }

  /** The same object for the same place, as long as nobody asks for another place in between. */
  as(place: string | undefined): PresenceView {
    const { user, state } = this;
    if (place === undefined) {
      this.bare ??= { user, state };
      return this.bare;
    }
    if (this.placed?.place !== place) this.placed = { user, state, place };
    return this.placed;
  }

  is(state: PresenceState, places: readonly string[]): boolean {
    return state === this.state && places.length === this.places.length && places.every((place, index) => place === this.places[index]);
  }
}

/** A session here, and what the state server was last told of it. */
interface Device {
  readonly session: SessionId;
  readonly sinceMs: number;
  place: string;
  told: string | undefined;
  endsMs: number | undefined;
}

/** What the state server is to be told. */
export type DeviceChange =
  | { readonly type: 'put'; readonly session: SessionId; readonly place: string }
  | { readonly type: 'remove'; readonly session: SessionId };

/** A lost session counts as present for so long. */
export const lingerMs = 3_000;
/**
 * The state server's word on what a session here did may come so much later. So a session lasts at least so long, and a place that
 * was left is not believed so long: else the word would be taken for a session elsewhere.
 */
export const briefMs = 250;
/** Whoever leaves again within this time of their last leaving comes and goes: they linger, too. */
export const flapWindowMs = 10_000;

const nowhere: readonly string[] = [];

export class UserState {
  /** In the order they came. A user has few. */
  private devices: Device[] = [];
  private leftMs: number | undefined;
  /** Places that a session here has just left, and until when the state server may not know. */
  private leaving: readonly { readonly place: string; readonly untilMs: number }[] = [];
  /** What the state server said in its life `saidLife`. */
  private said: { readonly state: 'online' | 'offline'; readonly places: readonly string[] } | undefined;
  private saidLife = 0;

  // ---- what happens ----

  enter(session: SessionId, nowMs: number): void {
    // Back: what was lost before need not be waited for.
    for (const device of this.devices) if (device.endsMs !== undefined) device.endsMs = nowMs;
    // Not pushed: that would make room for 17.
    this.devices = [...this.devices, { session, sinceMs: nowMs, place: home, told: undefined, endsMs: undefined }];
  }

  /** Returns whether that is news. */
  move(session: SessionId, place: string, nowMs: number): boolean {
    const device = this.devices.find((each) => each.session === session);
    if (!device || device.endsMs !== undefined || device.place === place) return false;
    if (this.said) this.leaving = [...this.stillLeaving(nowMs, place), { place: device.place, untilMs: nowMs + briefMs }];
    device.place = place;
    return true;
  }

  /** `silenceMs`: how long a session had been silent that left as `silent`. */
  leave(session: SessionId, how: Departure, nowMs: number, silenceMs: number): void {
    const device = this.devices.find((each) => each.session === session);
    if (!device || device.endsMs !== undefined) return;
    const isLast = !this.devices.some((each) => each !== device && each.endsMs === undefined);
    device.endsMs = isLast ? Math.max(nowMs + this.lingerOf(how, nowMs, silenceMs), device.sinceMs + briefMs) : nowMs;
    if (isLast) this.leftMs = nowMs;
  }

  /** The state server's word, valid in that life of the link. */
  hear(state: 'online' | 'offline', places: readonly string[], life: number): void {
    this.said = { state, places };
    this.saidLife = life;
  }

  /** Nothing more will be heard. */
  forgetSaid(): void {
    this.said = undefined;
  }

  // ---- what follows ----

  /** What the state server is not told yet. Each is to be given to `told` when it is. */
  untold(nowMs: number): readonly DeviceChange[] {
    const changes: DeviceChange[] = [];
    for (const { session, place, told, endsMs } of this.devices) {
      if (endsMs !== undefined && endsMs <= nowMs) changes.push({ type: 'remove', session });
      else if (told !== place) changes.push({ type: 'put', session, place });
    }
    return changes;
  }

  told(change: DeviceChange): void {
    if (change.type === 'remove') this.devices = this.devices.filter((device) => device.session !== change.session);
    else for (const device of this.devices) if (device.session === change.session) device.told = change.place;
  }

  /** `life`: of the link, undefined while it is down. Sessions here are seen without it. */
  presence(life: number | undefined): PresenceState {
    if (this.devices.length > 0) return 'online';
    return this.saidIn(life)?.state ?? 'unknown';
  }

  /** Of all sessions, without doubles. */
  places(life: number | undefined, nowMs: number): readonly string[] {
    const said = this.saidIn(life)?.places ?? nowhere;
    if (this.devices.length === 0) return said;
    const leaving = this.stillLeaving(nowMs);
    const elsewhere = said.filter((place) => !leaving.some((left) => left.place === place));
    return [...new Set([...this.devices.map(({ place }) => place), ...elsewhere])];
  }

  isPresent(): boolean {
    return this.devices.length > 0;
  }

  /** When there is something to do again, though nothing happens: a lingering session ends, a place left counts again, a flapping user is calm. */
  nextMs(nowMs: number): number | undefined {
    const calmMs = this.calmMs();
    let next = this.devices.length === 0 && nowMs < calmMs ? calmMs : undefined;
    for (const { endsMs } of this.devices) if (endsMs !== undefined && (next === undefined || endsMs < next)) next = endsMs;
    for (const { untilMs } of this.stillLeaving(nowMs)) if (next === undefined || untilMs < next) next = untilMs;
    return next;
  }

  private stillLeaving(nowMs: number, except?: string) {
    return this.leaving.filter(({ place, untilMs }) => untilMs > nowMs && place !== except);
  }

  private saidIn(life: number | undefined) {
    return life !== undefined && life === this.saidLife ? this.said : undefined;
  }

  private calmMs(): number {
    return this.leftMs === undefined ? Number.NEGATIVE_INFINITY : this.leftMs + flapWindowMs;
  }

  private lingerOf(how: Departure, nowMs: number, silenceMs: number): number {
    if (how === 'left') return nowMs < this.calmMs() ? lingerMs : 0;
    return how === 'lost' ? lingerMs : Math.max(0, lingerMs - silenceMs);
  }
}
