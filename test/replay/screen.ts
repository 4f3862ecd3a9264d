/**
 * Screen: what one client showed of one room, over all its connections, and what its library complained of.
 *
 * Guarantees: records everything in the order the application got it; leaves out nothing, repairs nothing.
 */
import type { ChatClient } from '../../gateway/client/chat-client.ts';
import type { Opened } from '../../gateway/client/room-cursor.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';
import { digestOf, type Stay } from './verdict.ts';

export interface ScreenHandlers {
  /** The room is live, again or at first. */
  onOpened(): void;
  onSeen(entries: readonly WireEntry[]): void;
  onGone(): void;
}

export class Screen {
  readonly stays: Stay[] = [];
  readonly complaints: string[] = [];
  /** The person is about to leave: losing the room is no surprise. */
  isLeaving = false;
  private stay: Stay | undefined;
  private readonly handlers: ScreenHandlers;

  constructor(client: ChatClient, handlers: ScreenHandlers) {
    this.handlers = handlers;
    client.on('opened', (opened) => this.opened(opened));
    client.on('entries', ({ entries }) => this.seen(entries));
    client.on('violation', ({ kind, expectedSeq, gotSeq }) => this.complain(`${kind}: #${gotSeq} came where #${expectedSeq} belongs`));
    client.on('gone', ({ reason }) => {
      if (!this.isLeaving) this.complain(`lost the room without leaving: ${reason}`);
      this.end(reason === 'left' ? 'left' : 'denied');
      this.handlers.onGone();
    });
  }

  /** A membership is under way and not over. */
  get isOn(): boolean {
    return this.stay !== undefined;
  }

  begin(since: number): void {
    this.stay = { since, seqs: [], digests: [], jumps: [], end: 'open' };
    this.stays.push(this.stay);
  }

  end(how: Stay['end']): void {
    if (this.stay) this.stay.end = how;
    this.stay = undefined;
  }

  complain(what: string): void {
    this.complaints.push(what);
  }

  private opened({ verdict, upTo }: Opened): void {
    if (verdict === 'snapshot') this.stay?.jumps.push({ index: this.stay.seqs.length, upTo });
    this.handlers.onOpened();
  }

  private seen(entries: readonly WireEntry[]): void {
    if (!this.stay) this.complain(`#${entries[0]?.seq} came while not in the room`);
    for (const entry of entries) {
      this.stay?.seqs.push(entry.seq);
      this.stay?.digests.push(digestOf(entry));
    }
    this.handlers.onSeen(entries);
  }
}
