/**
 * RoomOutside: what the outside directory says of those who want into a room, and of ids that somebody wants to take.
 *
 * Guarantees: asked only when the log alone would say no to a join, or when a room is made under a chosen id; never on the way of a
 * message. A room that is not there and one that is not yours are asked for alike.
 * Does not: decide. The fold judges the join again, with what the directory says.
 */

import type { Clock } from '../system/clock.ts';
import type { Directory } from '../system/directory/directory.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { RoomId } from '../system/ids.ts';
import type { WriteCommand } from './room-fold.ts';
import type { AnsweredOutcome } from './room-protocol.ts';

/** What becomes of a write that was asked about. */
export type OutsideWord =
  | { readonly type: 'again'; readonly command: WriteCommand }
  | { readonly type: 'refused'; readonly refusal: Refusal };

/**
 * A refused join is answered no sooner: a list that is kept is there at once, one that is asked for takes its time, and the difference
 * would tell which rooms there are.
 */
const refusalAfterMs = 250;
const unavailable = refuse('ROOM_UNAVAILABLE', 'the community service cannot be asked now; try again', 2_000);

export class RoomOutside {
  private readonly room: RoomId;
  private readonly directory: Directory;
  private readonly clock: Pick<Clock, 'after'>;

  constructor(room: RoomId, { directory, clock }: { readonly directory: Directory; readonly clock: Pick<Clock, 'after'> }) {
    this.room = room;
    this.directory = directory;
    this.clock = clock;
  }

  /** Whether this answer to this write is not the last word yet. */
  hasMore({ write }: WriteCommand, outcome: AnsweredOutcome): boolean {
    if (!this.directory.isOutside || write.type !== 'join' || write.listed) return false;
    return outcome.type === 'refused' && outcome.code === 'NOT_FOUND';
  }

  /** A join that the log refused: is the user listed? Never rejects. */
  async join(command: WriteCommand, community: string | undefined): Promise<OutsideWord> {
    const pause = new Promise<void>((resolve) => this.clock.after(refusalAfterMs, resolve));
    const [ofRoom, ofCommunity] = await Promise.all([
      this.directory.roomMembers(this.room),
      community === undefined ? undefined : this.directory.communityMembers(community),
    ]);
    for (const [listed, found] of [['room', ofRoom] as const, ['community', ofCommunity] as const]) {
      if (found?.type === 'listed' && found.members.has(command.by))
        return { type: 'again', command: { ...command, write: { type: 'join', listed } } };
    }
    await pause;
    const isUnknown = ofRoom.type === 'unavailable' || ofCommunity?.type === 'unavailable';
    return { type: 'refused', refusal: isUnknown ? unavailable : refuse('NOT_FOUND', 'no such room') };
  }

  /** Whether the id must be asked about before a room is made under it. */
  mustAsk({ write }: WriteCommand, isIdChosen: boolean): boolean {
    return this.directory.isOutside && isIdChosen && write.type === 'create' && write.facts.kind !== 'dm';
  }

  /** Nobody takes the id of a room that lives outside and waits there for its members. Never rejects. */
  async create(command: WriteCommand): Promise<OutsideWord> {
    const found = await this.directory.roomMembers(this.room);
    if (found.type === 'unavailable') return { type: 'refused', refusal: unavailable };
    if (found.type === 'listed') return { type: 'refused', refusal: refuse('CONFLICT', 'a room with this id exists') };
    return { type: 'again', command };
  }
}
