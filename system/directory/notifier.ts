/**
 * Notifier: tells a notification service of new messages and of whom to notify. Twins: memory, http.
 *
 * At most once for each message that a node stored, as far as the service goes: a call whose answer was lost is made again, with the same
 * `id`. Nothing waits for it: when the service is slow or dead, notifications are late, then lost, and counted.
 */
import type { RoomId, UserId } from '../ids.ts';
import type { MessageKind } from '../store/entry.ts';

export interface Noted {
  readonly sender: UserId;
  readonly name?: string;
  /** Of a file: absent. */
  readonly text?: string;
  readonly room: RoomId;
  readonly kind: MessageKind;
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Whom to notify: members who are not in the room's place now. */
export interface Absent {
  readonly ids: readonly UserId[];
  /** There are more than `absentIdsMax`: the service has to ask for the rest. */
  readonly more: boolean;
}

export interface Notifier {
  /**
   * Returns at once, never throws. `absent` is asked when the message's turn comes, so what waits is small and what is said is of then;
   * nobody absent: no call is made. When `notesWaitingMax` wait, the oldest is dropped.
   */
  note(message: Noted, absent: () => Promise<Absent>): void;
  /** false: there is nobody to tell, and `note` does nothing. */
  readonly isListening: boolean;
  counts(): NotifierCounts;
  readonly description: string;
  /** For /readyz. Never `down`. */
  health(): 'up' | { readonly degraded: string };
  /** Makes calls for at most so long, drops the rest, counts it, stays closed. Never rejects. Idempotent. */
  drain(deadlineMs: number): Promise<void>;
}

export interface NotifierCounts {
  /** Now, those under way included. */
  readonly waiting: number;
  /** From the start on: taken by the service; nobody was absent. */
  readonly sent: number;
  readonly nobody: number;
  /** Given up: the queue was full; refused by the service; not taken within `noteAgeMaxMs`, or by the end of a drain. */
  readonly dropped: number;
  readonly refused: number;
  readonly late: number;
  /** Calls that failed, each try. */
  readonly failed: number;
}

/** Messages waiting. */
export const notesWaitingMax = 10_000;
/** Ids in one call. */
export const absentIdsMax = 1_000;
/** A message not taken by then is dropped. */
export const noteAgeMaxMs = 60_000;
