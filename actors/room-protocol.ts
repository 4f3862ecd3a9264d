/**
 * RoomProtocol: what goes into and comes out of the pure room state. Types, and the counters at zero.
 *
 * The carrier (the room actor, or the simulation) carries out effects in order, feeds results back as inputs, calls
 * `tick` at `wakeAtMs`, and forgets the state as a whole when it crashes. Every effect that reads or writes the store
 * is answered by exactly one input of the pair named at it.
 */
import type { ErrorCode } from '../system/errors.ts';
import type { Cid, UserId } from '../system/ids.ts';
import type { Entry, Head } from '../system/store/entry.ts';
import type { Range } from '../system/store/room-log.ts';
import type { MessageView, Opened } from './client-command.ts';
import type { TargetFact, WriteCommand } from './room-fold.ts';

/** nowMs: monotonic, for every duration. wallMs: since the epoch, for `Entry.at` only. */
export interface Time {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** One local reader of the room: a session. */
export type ReaderId = string;

export interface RoomSettings {
  /** This node's incarnation. */
  readonly writer: string;
  /** Other processes may append to the same logs. false: this node is the only writer, and knows every head. */
  readonly sharedLog: boolean;
  /** Commands that may wait; more are answered BUSY. */
  readonly pendingMax: number;
  readonly senderPendingMax: number;
  /** A command not decided by then is answered STORE_UNAVAILABLE. */
  readonly ackDeadlineMs: number;
  readonly batchEntriesMax: number;
  readonly batchBytesMax: number;
  /** Entries per read of the log. */
  readonly readEntriesMax: number;
  /** A reader further behind gets a snapshot instead of a replay. */
  readonly resumeEntriesMax: number;
  /** Events kept that came too early, and their text in bytes; when full, all are dropped and the gap is read. */
  readonly reorderEntriesMax: number;
  readonly reorderBytesMax: number;
  /** A gap in the stream older than this is read from the log. */
  readonly gapMs: number;
  /** Delivered entries kept for readers that are a little behind. */
  readonly recentEntriesMax: number;
  /**
   * Whether commands can be forwarded to the node with this incarnation: there is a link, as far as is known. Asked when that is decided;
   * a wrong answer costs time. Absent: there are no links.
   */
  readonly canForward?: (writer: string) => boolean;
}

export interface RoomCounters {
  appended: number;
  conflict: number;
  unknown: number;
  /** Unknown outcomes that a committed read found to have taken effect, and not to have. */
  unknownFoundIn: number;
  unknownFoundOut: number;
  gapRead: number;
  pollRepair: number;
  resume: number;
  dedupeHit: number;
  revalidationRefusal: number;
  reorderDropped: number;
  duplicateDropped: number;
  readerPaused: number;
  deadlineMissed: number;
  /** Commands given to the last winner, acknowledged from its answer, and handed back or without an answer in time. */
  forwarded: number;
  forwardStored: number;
  forwardReturned: number;
  forwardExpired: number;
  /** Commands of other nodes taken, and of those the ones handed back. */
  received: number;
  receivedReturned: number;
}

export function newRoomCounters(): RoomCounters {
  return {
    appended: 0,
    conflict: 0,
    unknown: 0,
    unknownFoundIn: 0,
    unknownFoundOut: 0,
    gapRead: 0,
    pollRepair: 0,
    resume: 0,
    dedupeHit: 0,
    revalidationRefusal: 0,
    reorderDropped: 0,
    duplicateDropped: 0,
    readerPaused: 0,
    deadlineMissed: 0,
    forwarded: 0,
    forwardStored: 0,
    forwardReturned: 0,
    forwardExpired: 0,
    received: 0,
    receivedReturned: 0,
  };
}

/** A command on its way into the log. */
export interface WaitingCommand {
  readonly key: number;
  readonly command: WriteCommand;
  readonly deadlineMs: number;
  /** The client has its answer; what is still decided about the command is for the room only. */
  answered: boolean;
  /** A committed read has shown that it is not stored. */
  looked: boolean;
  /** An append of it was made; whatever came of it, a refusal now is a re-validation's. */
  tried: boolean;
  /** An append of it had an unknown outcome: found in the log, it is that one and no retry. */
  inDoubt: boolean;
  /** It came back from a forward: this node appends it itself, unless it loses. */
  mustAppend: boolean;
  /** Another node forwarded it; that node answers the client. */
  readonly received?: Received;
}

/** Where a forwarded command stands in the log, by the node that stored it. `dup`: it was there before. */
export interface ForwardResult {
  readonly seq: number;
  readonly n: number;
  readonly at: number;
  readonly dup: boolean;
}

/** One forward of another node, while its commands are decided. */
export interface ReceivedBatch {
  readonly key: number;
  readonly controlSeq: number;
  readonly results: (ForwardResult | undefined)[];
  undecided: number;
  /** The first that is handed back: its sender's node decides about that one and all later ones. */
  brokenAt: number;
}

/** Which of its commands. */
export interface Received {
  readonly batch: ReceivedBatch;
  readonly index: number;
}

/**
 * conflict: a number or an id was taken. unknown: the store did not say. look: is an earlier try of this in the log?
 */
export type ResolveReason = 'conflict' | 'unknown' | 'look';

export type Pipeline =
  | { readonly step: 'idle' }
  | { readonly step: 'facts' }
  | { readonly step: 'appending'; readonly batch: WaitingCommand[]; readonly entries: readonly Entry[] }
  | {
      readonly step: 'resolving';
      readonly batch: WaitingCommand[];
      readonly reason: ResolveReason;
      readonly attempt: number;
      readonly learned: number;
    }
  | {
      readonly step: 'resting';
      readonly untilMs: number;
      readonly batch: WaitingCommand[];
      readonly then: 'again' | 'resolve';
      readonly reason: ResolveReason;
      readonly attempt: number;
    };

export type AnsweredOutcome =
  | { readonly type: 'stored'; readonly entry: Entry; readonly dup: boolean }
  | { readonly type: 'done' }
  | Opened
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string; readonly retryAfterMs?: number };

export type ForwardResults = readonly (ForwardResult | undefined)[];

export type RoomInput =
  | { readonly type: 'start' }
  | { readonly type: 'loaded'; readonly head: Head; readonly controls: readonly Entry[] }
  | { readonly type: 'loadFailed' }
  | { readonly type: 'command'; readonly key: number; readonly command: WriteCommand }
  | {
      readonly type: 'appendDone';
      readonly outcome: 'appended' | 'conflict' | 'unknown' | { readonly rejected: number; readonly reason: string };
    }
  /** `entries`: committed, contiguous, after the asked seq. `found`: committed entries with the asked ids, anywhere in the log. */
  | { readonly type: 'resolved'; readonly entries: readonly Entry[]; readonly found: readonly Entry[] }
  | { readonly type: 'resolveFailed' }
  | { readonly type: 'factsRead'; readonly facts: readonly { readonly target: number; readonly fact: TargetFact }[] }
  | { readonly type: 'factsFailed' }
  /** notSent: it certainly never left. Each undefined, or no list: nothing is known of it. At most one for each `forward`; one that never comes is waited for in vain. */
  | { readonly type: 'forwardDone'; readonly id: number; readonly results: ForwardResults | 'notSent' | undefined }
  /** Another node's commands, for this one to store. `controlSeq`: the last control entry that node knows. -> forwardAnswer */
  | { readonly type: 'forwarded'; readonly key: number; readonly commands: readonly WriteCommand[]; readonly controlSeq: number }
  | { readonly type: 'tick' }
  /** From the wire: any order, doubles, losses. */
  | { readonly type: 'event'; readonly entries: readonly Entry[] }
  | DeliveryInput
  | { readonly type: 'caughtUp'; readonly entries: readonly Entry[] }
  | { readonly type: 'rangeRead'; readonly reader: ReaderId; readonly entries: readonly Entry[] };

/** Inputs of the reader side alone. */
export type DeliveryInput =
  /** From the store's tail or the head poll: the room has at least this seq. */
  /** `isAlone`: no event will bring it, only a read. */
  | { readonly type: 'hint'; readonly seq: number; readonly isAlone?: boolean }
  | {
      readonly type: 'open';
      readonly key: number;
      readonly reader: ReaderId;
      readonly user: UserId;
      readonly since?: number;
      readonly epoch?: string;
      readonly limit: number;
    }
  | { readonly type: 'close'; readonly reader: ReaderId }
  | { readonly type: 'history'; readonly key: number; readonly user: UserId; readonly range: Range }
  | { readonly type: 'mark'; readonly key: number; readonly user: UserId; readonly seq: number }
  | { readonly type: 'pageRead'; readonly reader: ReaderId; readonly entries: readonly MessageView[]; readonly more: boolean }
  | { readonly type: 'pageFailed' | 'rangeFailed'; readonly reader: ReaderId }
  | { readonly type: 'catchUpFailed' }
  /**
   * The reader's sink took nothing after this seq. Until `ready` goes in, the carrier carries out no `deliver`, `emit` or
   * `attach` for it. Goes in before inputs that came meanwhile, and not at all when a later effect of the same turn was
   * `detach` or `gone` for this reader: it would be taken for a refusal of the reader's next attachment.
   */
  | { readonly type: 'refused'; readonly reader: ReaderId; readonly after: number }
  | { readonly type: 'ready'; readonly reader: ReaderId };

/** What reads the store or appends to it. */
export type StoreEffect =
  /** Head, then the control entries up to it. -> loaded | loadFailed */
  | { readonly type: 'load' }
  /** -> appendDone */
  | { readonly type: 'append'; readonly after: number; readonly entries: readonly Entry[] }
  /** Up to `limit` entries after `after`, and whatever is stored under `ids`. -> resolved | resolveFailed */
  | {
      readonly type: 'resolve';
      readonly after: number;
      readonly limit: number;
      readonly ids: readonly { readonly by: UserId; readonly cid: Cid }[];
    }
  /** Author of these entries and whether they are deleted. -> factsRead | factsFailed */
  | { readonly type: 'readFacts'; readonly targets: readonly number[] }
  /** Entries after `after`, for everybody. -> caughtUp | catchUpFailed */
  | { readonly type: 'catchUp'; readonly after: number; readonly limit: number }
  /** Entries after `after`, for one reader. -> rangeRead | rangeFailed */
  | { readonly type: 'range'; readonly reader: ReaderId; readonly after: number; readonly limit: number }
  /** The last page of messages, folded with the changes up to `upTo`. -> pageRead | pageFailed */
  | { readonly type: 'page'; readonly reader: ReaderId; readonly limit: number; readonly upTo: number };

export type RoomEffect =
  | StoreEffect
  /** Answer this history request from the log, folded up to `upTo`. No input follows. */
  | { readonly type: 'history'; readonly key: number; readonly range: Range; readonly upTo: number }
  /** A member has read up to this entry, which exists. No input follows. */
  | { readonly type: 'mark'; readonly key: number; readonly user: UserId; readonly seq: number }
  | { readonly type: 'answer'; readonly key: number; readonly outcome: AnsweredOutcome }
  /** To every attached reader. A sink that refuses is detached by the carrier and reported by `refused`. */
  | { readonly type: 'deliver'; readonly entries: readonly Entry[] }
  /** To one reader that is catching up. */
  | { readonly type: 'emit'; readonly reader: ReaderId; readonly entries: readonly Entry[] }
  | { readonly type: 'attach' | 'detach'; readonly reader: ReaderId }
  /** The reader's user is no member any more: detach, tell it. */
  | { readonly type: 'gone'; readonly reader: ReaderId; readonly reason: 'kicked' | 'left' }
  /** Control entries of the stream, each once, in order. */
  | { readonly type: 'membership'; readonly entries: readonly Entry[] }
  /** To the node with this incarnation, which stores them. -> forwardDone, or nothing */
  | {
      readonly type: 'forward';
      readonly id: number;
      readonly to: string;
      readonly commands: readonly WriteCommand[];
      readonly controlSeq: number;
    }
  /** In answer to `forwarded`: each command's place in the committed log, or undefined: not stored as far as is known here. */
  | { readonly type: 'forwardAnswer'; readonly key: number; readonly results: ForwardResults }
  | { readonly type: 'publish'; readonly entries: readonly Entry[] }
  | { readonly type: 'note'; readonly event: 'append.conflict' | 'gap.repair'; readonly count: number };
