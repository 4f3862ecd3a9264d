/**
 * Chat people: who of a room is online, for the terminal. Watches whoever was seen in the room, the last ones first.
 *
 * Guarantees: at most one question a second; a person who comes or goes is one line, whoever was there before is none.
 */
import type { WireEntry, WirePresence } from '../client-protocol.ts';
import type { ChatClient } from './chat-client.ts';
import { clean } from './chat-format.ts';
import type { Timing } from './timing.ts';

/** As many as the node watches for one connection. */
const watchedMax = 200;
const askEveryMs = 1_000;

export interface PeopleDeps {
  readonly client: Pick<ChatClient, 'watchPresence' | 'presence' | 'on'>;
  readonly timing: Timing;
  readonly user: string;
  readonly room: string;
  /** A line for something that changed. */
  say(line: string): void;
}

export class ChatPeople {
  private readonly deps: PeopleDeps;
  /** In the order they were last seen. */
  private readonly members = new Set<string>();
  /** How each was told to be; nothing is said of the first word on somebody. */
  private readonly told = new Map<string, WirePresence['state']>();
  private isAskDue = false;

  constructor(deps: PeopleDeps) {
    this.deps = deps;
    deps.client.on('presence', ({ changes }) => {
      for (const change of changes) this.announce(change);
    });
  }

  seen(user: string): void {
    const isNew = !this.members.delete(user);
    this.members.add(user);
    if (isNew) this.askSoon();
  }

  noteEntry(entry: WireEntry): void {
    this.seen(entry.by);
    const { member } = entry;
    if (!member) return;
    if (member.change === 'joined' || member.change === 'invited') this.seen(member.user);
    else this.members.delete(member.user);
  }

  lines(): readonly string[] {
    const groups: Record<WirePresence['state'], string[]> = { online: [], offline: [], unknown: [] };
    for (const member of [...this.members].sort()) {
      const view = member === this.deps.user ? undefined : this.deps.client.presence(member);
      const state = member === this.deps.user ? 'online' : (view?.state ?? 'unknown');
      groups[state].push(`${clean(member)}${view?.place === this.deps.room ? ' (here)' : ''}`);
    }
    const shown = Object.entries(groups).filter(([, names]) => names.length > 0);
    return shown.map(([state, names]) => `${state}: ${names.join(', ')}`);
  }

  private announce({ user, state }: WirePresence): void {
    if (state === 'unknown' || user === this.deps.user) return;
    const before = this.told.get(user);
    this.told.set(user, state);
    if (before !== undefined && before !== state) this.deps.say(state === 'online' ? `${clean(user)} is here` : `${clean(user)} went away`);
  }

  private askSoon(): void {
    if (this.isAskDue) return;
    this.isAskDue = true;
    this.deps.timing.after(askEveryMs, () => {
      this.isAskDue = false;
      this.deps.client.watchPresence([...this.members].slice(-watchedMax)).catch(() => {}); // Asked again with the next newcomer.
    });
  }
}
