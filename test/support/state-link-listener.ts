/** A listener that keeps what a link told it, and waits for what it should be told. */
import type { SessionId, UserId } from '../../system/ids.ts';
import type { LiveSession, StateLink, StateLinkListener, UserStateRow } from '../../system/state/state-link.ts';
import { user } from './entries.ts';
import { waitUntil } from './store-processes.ts';

export const session = (id: string): SessionId => id as SessionId;
export const liveSession = (id: string, of: string, place = 'home'): LiveSession => ({ session: session(id), user: user(of), place });

export class RecordingListener implements StateLinkListener {
  readonly rows: UserStateRow[] = [];
  /** `up: why` or `down: why`, one for each call. */
  readonly lives: string[] = [];
  private readonly latest = new Map<UserId, UserStateRow>();
  private readonly link: StateLink;

  constructor(link: StateLink) {
    this.link = link;
    link.listen(this);
  }

  onStates(states: readonly UserStateRow[]): void {
    for (const row of states) {
      this.rows.push(row);
      this.latest.set(row.user, row);
    }
  }

  onLive(isLive: boolean, why: string): void {
    this.lives.push(`${isLive ? 'up' : 'down'}: ${why}`);
  }

  forget(): void {
    this.rows.length = 0;
    this.latest.clear();
  }

  /** `offline`, or the places; undefined when nothing was told. */
  of(name: string): string | undefined {
    const row = this.latest.get(user(name));
    return row?.state === 'online' ? `in ${row.places.join(' ')}` : row?.state;
  }

  /** Waits until the last thing told of the user is this. */
  async hears(name: string, what: string): Promise<void> {
    await waitUntil(
      `${name} is ${what}`,
      () => this.of(name) === what,
      5_000,
      () => `last told: ${this.of(name)}; ${JSON.stringify(this.lives)}; ${this.link.state} ${JSON.stringify(this.link.counts())}`,
    );
  }

  async isLive(): Promise<void> {
    await waitUntil(
      'the link is live',
      () => this.link.state === 'live' && this.lives.at(-1)?.startsWith('up') === true,
      5_000,
      () => `${this.link.state} ${JSON.stringify(this.lives)}`,
    );
  }

  async isDown(): Promise<void> {
    await waitUntil('the link is not live', () => this.lives.at(-1)?.startsWith('down') === true);
  }
}
