/**
 * Chat unread: what the person at the terminal has not read in other rooms, and that they read what is shown in this one.
 *
 * Guarantees: a room is announced when it begins to have something unread, not with each message.
 * Does not: keep counts of its own: unread is the room's count of messages less that at the read mark.
 */
import type { WireRoomSummary } from '../client-protocol.ts';
import type { ChatClient } from './chat-client.ts';
import { clean } from './chat-format.ts';

export interface UnreadDeps {
  readonly client: Pick<ChatClient, 'listRooms' | 'markRead' | 'on'>;
  readonly user: string;
  readonly room: string;
  /** A line for something that changed. */
  say(line: string): void;
}

interface Counts {
  n: number;
  readN: number;
}

export class ChatUnread {
  private readonly deps: UnreadDeps;
  private readonly rooms = new Map<string, Counts>();

  constructor(deps: UnreadDeps) {
    this.deps = deps;
    const { client, user, room } = deps;
    client.on('rooms', ({ rooms }) => this.take(rooms));
    client.on('head', (head) => {
      if (head.room !== room) this.note(head.room, (counts) => (counts.n = Math.max(counts.n, head.n)));
    });
    client.on('read', ({ room: name, marks }) => {
      for (const mark of marks) {
        if (mark.user === user) this.note(name, (counts) => (counts.readN = Math.max(counts.readN, mark.n)));
      }
    });
  }

  /** Once, at the start: what is unread elsewhere. */
  async begin(): Promise<void> {
    this.take(await this.deps.client.listRooms());
    const unread = [...this.rooms].filter(([name, counts]) => name !== this.deps.room && counts.n > counts.readN);
    if (unread.length > 0) this.deps.say(`unread: ${unread.map(([name, { n, readN }]) => `${clean(name)} ${n - readN}`).join(', ')}`);
  }

  async lines(): Promise<readonly string[]> {
    const rooms = await this.deps.client.listRooms();
    this.take(rooms);
    return rooms.map(({ id, head, unread }) => `${clean(id)}  head #${head}${unread > 0 ? `  ${unread} unread` : ''}`);
  }

  /** Everything up to this seq is on the screen, of which a terminal shows the bottom. */
  shown(seq: number): void {
    if (seq > 0) this.deps.client.markRead(this.deps.room, seq);
  }

  private take(rooms: readonly WireRoomSummary[]): void {
    for (const { id, n, unread } of rooms) this.rooms.set(id, { n, readN: n - unread });
  }

  private note(name: string, change: (counts: Counts) => void): void {
    const counts = this.rooms.get(name) ?? { n: 0, readN: 0 };
    const wasUnread = counts.n > counts.readN;
    change(counts);
    this.rooms.set(name, counts);
    if (!wasUnread && counts.n > counts.readN) this.deps.say(`(new in ${clean(name)}: /rooms)`);
  }
}
