/**
 * Person: one nick of a transcript as a real client, with a record of everything done and everything seen.
 *
 * Guarantees: deeds happen one after the other; each is tried until it is acknowledged or refused for good, over lost
 * connections and restarts; whoever was disconnected for want of sockets resumes where the screen ended.
 */
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { ChatError } from '../../gateway/client/chat-error.ts';
import type { ConnectOptions, StateChange } from '../../gateway/client/connection.ts';
import { backoffMs, type Timing } from '../../gateway/client/timing.ts';
import { newId } from '../../system/ids.ts';
import type { Occupant, Pool } from './pool.ts';
import { Screen } from './screen.ts';
import type { Stats } from './stats.ts';
import type { Deed, PersonRecord, SendDeed } from './verdict.ts';

/** What the people of one room share. */
export interface RoomScene {
  readonly room: string;
  readonly pool: Pool;
  readonly stats: Stats;
  readonly timing: Timing;
  readonly stop: AbortSignal;
  /** The highest seq anybody knows of. */
  knownSeq: number;
}

/** After the acknowledgement of a leave, its entry must be seen within this. */
const leavingSeenMs = 5_000;

export class Person implements Occupant {
  readonly user: string;
  private readonly scene: RoomScene;
  private readonly connect: ConnectOptions;
  private readonly client = new ChatClient();
  private readonly deeds: Deed[] = [];
  private readonly screen: Screen;
  private isMember = false;
  private isConnecting = false;
  private wasOnline = false;
  private pending = 0;
  private tail: Promise<void> = Promise.resolve();
  private readonly watchers = new Set<() => void>();

  constructor(user: string, connect: ConnectOptions, scene: RoomScene) {
    this.user = user;
    this.connect = connect;
    this.scene = scene;
    this.client.on('state', (change) => this.onState(change));
    this.screen = new Screen(this.client, {
      onOpened: () => scene.stats.resumed(this),
      onGone: () => scene.stats.resumed(this),
      onSeen: (entries) => {
        this.know(entries.at(-1)?.seq ?? 0);
        scene.stats.delivered += entries.length;
        scene.stats.progressed();
      },
    });
  }

  get isBusy(): boolean {
    return this.pending > 0;
  }

  get isOnline(): boolean {
    return this.client.isOnline;
  }

  get lastSeq(): number {
    return this.client.position(this.scene.room)?.seq ?? 0;
  }

  /** In the room, connected, and to be so: has to see everything. */
  get isPresent(): boolean {
    return this.isMember && this.isConnecting;
  }

  record(): PersonRecord {
    const { user, deeds, screen } = this;
    return { user, deeds, stays: screen.stays, complaints: screen.complaints, isConnected: this.isPresent };
  }

  evict(): void {
    this.scene.stats.evictions += 1;
    this.hangUp();
  }

  /** Ends the client. Nothing is recorded after it. */
  end(): void {
    this.scene.pool.leave(this);
    this.scene.stats.resumed(this);
    this.client.end();
  }

  create(name: string): Promise<void> {
    return this.next(async () => {
      await this.goOnline();
      await this.persist(async (attempt) => {
        const { room } = this.scene;
        await this.client.createRoom({ kind: 'group', id: room, name, public: true }).catch((error: unknown) => {
          // Our own earlier try, whose answer was lost.
          if (attempt === 0 || !(error instanceof ChatError) || error.code !== 'CONFLICT') throw error;
        });
      });
      await this.arrive({ type: 'create' }, 0);
    });
  }

  join(): Promise<void> {
    return this.next(() => this.enter());
  }

  /** Resolves with the seq; undefined: it could not be sent. `parent`: of the answered message, once that is acknowledged. */
  say(text: string, parent: Promise<number | undefined> | undefined): Promise<number | undefined> {
    return this.next(async () => {
      const replyTo = await parent;
      if (parent && replyTo === undefined) this.scene.stats.plainReplies += 1;
      await this.enter();
      const { stats, room } = this.scene;
      const cid = newId();
      const deed: SendDeed = { type: 'send', cid, text, knownSeq: this.scene.knownSeq, ...(replyTo !== undefined && { replyTo }) };
      this.deeds.push(deed);
      stats.sent += 1;
      try {
        const stored = await this.orStop(
          replyTo === undefined ? this.client.send(room, text, cid) : this.client.reply(room, replyTo, text, cid),
        );
        deed.seq = stored.seq;
        stats.acked += 1;
        if (stored.dup) stats.duplicateAcks += 1;
        this.know(stored.seq);
      } catch (error) {
        if (error instanceof ChatError && error.code !== 'ENDED') deed.failure = `${error.code}: ${error.message}`;
      }
      return deed.seq;
    });
  }

  leave(): Promise<void> {
    return this.next(async () => {
      if (!this.isMember) return;
      this.screen.isLeaving = true;
      await this.goOnline();
      const { room, timing } = this.scene;
      await this.persist(() => this.client.leave(room));
      this.deeds.push({ type: 'leave' });
      const untilMs = timing.nowMs() + leavingSeenMs;
      while (this.screen.isOn && timing.nowMs() < untilMs) await this.pause(20);
      this.screen.end('left');
      this.isMember = false;
      this.screen.isLeaving = false;
      this.scene.pool.leave(this);
      this.hangUp();
    });
  }

  // ---- inside ----

  private next<Result>(deed: () => Promise<Result>): Promise<Result | undefined> {
    this.pending += 1;
    const done = this.tail.then(deed).catch((error: unknown) => {
      if (!this.scene.stop.aborted) this.screen.complain(`gave up: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
    this.tail = done.then(() => {
      this.pending -= 1;
      this.scene.stats.progressed();
      this.scene.pool.idled();
    });
    return done;
  }

  private async enter(): Promise<void> {
    await this.goOnline();
    if (this.isMember) return;
    // Read before the join is sent: the join's own number is higher, so this opening misses nothing from there on.
    const since = this.scene.knownSeq;
    await this.persist(() => this.client.join(this.scene.room));
    await this.arrive({ type: 'join' }, since);
  }

  private async arrive(deed: Deed, since: number): Promise<void> {
    this.isMember = true;
    this.deeds.push(deed);
    this.screen.begin(since);
    await this.orStop(this.client.open(this.scene.room, { since }));
  }

  private async goOnline(): Promise<void> {
    await this.orStop(this.scene.pool.enter(this));
    if (!this.isConnecting) {
      this.isConnecting = true;
      this.client.connect(this.connect).catch(() => {});
    }
    await this.untilOnline();
  }

  private hangUp(): void {
    this.isConnecting = false;
    this.wasOnline = false;
    this.client.disconnect();
    this.scene.stats.resumed(this);
  }

  /** Tries until it succeeds or can never succeed. */
  private async persist(work: (attempt: number) => Promise<unknown>): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      await this.untilOnline();
      try {
        await work(attempt);
        return;
      } catch (error) {
        if (!(error instanceof ChatError) || !error.retryable) throw error;
        await this.pause((error.retryAfterMs ?? 0) + backoffMs(attempt, this.scene.timing));
      }
    }
  }

  private async untilOnline(): Promise<void> {
    while (!this.client.isOnline) {
      await this.orStop(new Promise<void>((resolve) => this.watchers.add(resolve)));
      this.watchers.clear();
    }
  }

  private pause(ms: number): Promise<void> {
    return this.orStop(new Promise<void>((resolve) => this.scene.timing.after(ms, resolve)));
  }

  private orStop<Result>(work: Promise<Result>): Promise<Result> {
    const { stop } = this.scene;
    return new Promise((resolve, reject) => {
      const stopped = (): void => reject(new Error('the run was stopped'));
      if (stop.aborted) stopped();
      stop.addEventListener('abort', stopped, { once: true });
      work.then(resolve, reject).finally(() => stop.removeEventListener('abort', stopped));
    });
  }

  private know(seq: number): void {
    this.scene.knownSeq = Math.max(this.scene.knownSeq, seq);
  }

  private onState({ state, code, reason }: StateChange): void {
    const { stats } = this.scene;
    if (state === 'online') {
      this.wasOnline = true;
      stats.connected(this);
      if (!this.screen.isOn) stats.resumed(this);
      for (const watcher of [...this.watchers]) watcher();
    } else if (state === 'offline' && this.wasOnline) {
      this.wasOnline = false;
      stats.lost(this);
    } else if (state === 'closed' && code === 'TOKEN_EXPIRED') {
      this.client.connect(this.connect).catch(() => {}); // With a new token.
    } else if (state === 'closed' && code !== 'ENDED') this.screen.complain(`closed by the node: ${code ?? ''} ${reason}`);
  }
}
