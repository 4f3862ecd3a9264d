/**
 * LoadSessions: users that are connected, have rooms open and say nothing. For what a session weighs.
 */
import type { LoadClient, LoadHandlers } from './load-client.ts';
import { asked, connectAs, type LoadTarget, openRoom } from './load-session.ts';

export interface SessionsSetup extends LoadTarget {
  /** Before the names of users and rooms: other sessions, other rooms. */
  readonly prefix: string;
  readonly sessions: number;
  readonly roomsPerSession: number;
}

const membersPerRoom = 100;
const connectsAtOnce = 25;

export class LoadSessions implements LoadHandlers {
  #clients: LoadClient[] = [];
  #failure: string | undefined;

  /** Adds to what is open. Every 100 sessions share their rooms. */
  async open({ prefix, sessions, roomsPerSession, ...target }: SessionsSetup): Promise<{ open: number }> {
    for (let from = 0; from < sessions; from += membersPerRoom) {
      const users = Array.from({ length: Math.min(membersPerRoom, sessions - from) }, (_, index) => `${prefix}-${from + index}`);
      const clients: LoadClient[] = [];
      for (let at = 0; at < users.length; at += connectsAtOnce)
        clients.push(...(await Promise.all(users.slice(at, at + connectsAtOnce).map((user) => connectAs(user, target, this)))));
      for (let index = 0; index < roomsPerSession; index += 1) {
        const room = `${prefix}-${from}-${index}`;
        if (target.arm === 'playhouse') await asked(clients[0], 'room:create', { kind: 'group', id: room, members: users.slice(1) });
        await Promise.all(clients.map((client) => openRoom(target.arm, client, room)));
      }
      this.#clients.push(...clients);
    }
    return { open: this.stillOpen() };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#clients = [];
  }

  /** Throws when the server ended one. */
  stillOpen(): number {
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return this.#clients.length;
  }

  onEvent(): void {}

  onAck(): void {}

  onClose(_client: LoadClient, why: string): void {
    this.#failure ??= `a connection ended: ${why}`;
  }
}
