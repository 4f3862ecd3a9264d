/**
 * Notifications: hands the messages that this node appended to the notifier, with the question whom to notify.
 *
 * Guarantees: returns at once; each message is handed over once, by the node that appended it, also when its append ended unknown and it was
 * found in the log later (not by a room that crashed in between).
 * Does not: work out whom, until the message's turn comes.
 */
import type { Absent, Notifier } from '../system/directory/notifier.ts';
import { absentIdsMax } from '../system/directory/notifier.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import { type Entry, isMessage, type MessageKind } from '../system/store/entry.ts';
import type { RoomFold } from './room-fold.ts';
import type { Whereabouts } from './whereabouts.ts';

/** Members looked at for one message, twice the ids that are told: in a larger room the service is told that there are more. */
export const membersAskedMax = 2 * absentIdsMax;

export class Notifications {
  private readonly notifier: Notifier;
  private readonly whereabouts: Pick<Whereabouts, 'absent'>;

  constructor(notifier: Notifier, whereabouts: Pick<Whereabouts, 'absent'>) {
    this.notifier = notifier;
    this.whereabouts = whereabouts;
  }

  appended(room: RoomId, entries: readonly Entry[], members: Pick<RoomFold, 'memberIds' | 'size'>): void {
    if (!this.notifier.isListening) return;
    for (const entry of entries) {
      if (!isMessage(entry)) continue;
      const { by: sender, name, text, kind, seq, at } = entry;
      const said = { ...(name === undefined ? undefined : { name }), ...(text === undefined ? undefined : { text }) };
      this.notifier.note({ sender, ...said, room, kind: kind as MessageKind, seq, at }, () => this.absentOf(room, sender, members));
    }
  }

  private async absentOf(room: RoomId, sender: UserId, members: Pick<RoomFold, 'memberIds' | 'size'>): Promise<Absent> {
    const asked = members.memberIds(membersAskedMax).filter((id) => id !== sender);
    const absent = await this.whereabouts.absent(room, asked);
    return { ids: absent.slice(0, absentIdsMax), more: absent.length > absentIdsMax || members.size > membersAskedMax };
  }
}
