/**
 * RoomHistory: pages of messages as people see them, and what a room's actor loads. Reads the log, never writes.
 *
 * Guarantees: a page is exact for the head it names: every change with seq ≤ upTo is folded in, no later one.
 * Does not: check membership; whoever calls has done it.
 */
import { LogCorrupt, refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { type Entry, emptyHead, type Head, isMessage } from '../system/store/entry.ts';
import type { Range, RoomLog } from '../system/store/room-log.ts';
import type { Answer, MessageView } from './client-command.ts';
import type { TargetFact } from './room-fold.ts';

/** Bytes of text in one page, at most 3 a character; a page of long messages holds fewer of them, at least one. */
const pageTextBytesMax = 256 * 1024;
/** Characters of an answered message that a reply quotes. */
const quoteCharsMax = 200;

export interface HistoryPage {
  readonly entries: readonly MessageView[];
  readonly hasBefore: boolean;
  readonly hasAfter: boolean;
}

/** What a room's actor needs to begin: the head and the control entries up to it, never a message. */
export async function readRoom(log: RoomLog, room: RoomId): Promise<{ head: Head; controls: readonly Entry[] }> {
  const [head = emptyHead] = await log.heads([room]);
  return { head, controls: head.seq === 0 ? [] : await log.controls(room, 0, head.seq) };
}

/** Author and deletion of entries that a command points at. */
export async function readFacts(log: RoomLog, room: RoomId, targets: readonly number[]): Promise<{ target: number; fact: TargetFact }[]> {
  const [entries, changes] = await Promise.all([
    log.at(targets.map((seq) => ({ room, seq }))),
    log.byTarget(room, targets, Number.MAX_SAFE_INTEGER),
  ]);
  const deleted = deletedTargets(changes);
  return targets.map((target, index) => {
    const entry = entries[index];
    if (!entry || !isMessage(entry)) return { target, fact: 'absent' };
    return { target, fact: { by: entry.by, deleted: entry.scrubbed === true || deleted.has(target) } };
  });
}

/** The page as whoever asked is told of it. Never rejects. */
export async function answerHistory(log: RoomLog, room: RoomId, range: Range, upTo: number, logger: Logger): Promise<Answer> {
  try {
    return { ok: true, result: { type: 'history', ...(await readPage(log, room, range, upTo)) } };
  } catch (error) {
    logger.warn({ ev: 'history.failed', room, cause: String(error) }, 'a history page could not be read');
    const code = error instanceof LogCorrupt ? 'ROOM_UNAVAILABLE' : 'STORE_UNAVAILABLE';
    return { ok: false, refusal: refuse(code, 'the page could not be read; ask again', 1000) };
  }
}

/** A page of messages with their edits, deletes, reactions and quotes, as of `upTo`. */
export async function readPage(log: RoomLog, room: RoomId, range: Range, upTo: number): Promise<HistoryPage> {
  const [found, [headEntry]] = await Promise.all([log.messages(room, range, upTo), log.at([{ room, seq: upTo }])]);
  const messages = withinBytes(found, range);
  const parents = [...new Set(messages.flatMap((entry) => entry.replyTo ?? []))];
  const [changes, parentEntries] = await Promise.all([
    log.byTarget(room, [...new Set([...messages.map((entry) => entry.seq), ...parents])], upTo),
    log.at(parents.map((seq) => ({ room, seq }))),
  ]);
  const byTarget = groupByTarget(changes);
  const quotes = new Map<number, MessageView>();
  for (const parent of parentEntries) if (parent) quotes.set(parent.seq, foldMessage(parent, byTarget.get(parent.seq) ?? []));
  const entries = messages.map((entry) => {
    const view = foldMessage(entry, byTarget.get(entry.seq) ?? []);
    return entry.replyTo === undefined ? view : { ...view, quote: quoteOf(entry.replyTo, quotes.get(entry.replyTo)) };
  });
  const total = headEntry?.n ?? 0;
  const first = entries[0];
  const last = entries.at(-1);
  if (!first || !last) return { entries, ...emptyPageEnds(range, total) };
  return { entries, hasBefore: first.n > 1, hasAfter: last.n < total };
}

/** Drops messages from the far end of the direction asked until the rest fits; the next page begins there. */
function withinBytes(messages: readonly Entry[], range: Range): readonly Entry[] {
  const isBackwards = 'before' in range;
  const kept: Entry[] = [];
  let bytes = 0;
  for (const message of isBackwards ? messages.toReversed() : messages) {
    bytes += 3 * (message.text?.length ?? 0);
    if (bytes > pageTextBytesMax && kept.length > 0) break;
    kept.push(message);
  }
  return isBackwards ? kept.reverse() : kept;
}

function emptyPageEnds(range: Range, total: number): { hasBefore: boolean; hasAfter: boolean } {
  return { hasBefore: 'after' in range && total > 0, hasAfter: 'before' in range && total > 0 };
}

/** One message with its changes (ascending by seq) folded in. Applying the same changes gives the same view, whoever does it. */
export function foldMessage(message: Entry, changes: readonly Entry[]): MessageView {
  let { text } = message;
  let edited: number | undefined;
  let isDeleted = message.scrubbed === true;
  const reactions = new Map<string, Set<UserId>>();
  for (const change of changes) {
    if (change.kind === 'delete') isDeleted = true;
    if (change.kind === 'modify') {
      text = change.text;
      edited = change.seq;
    }
    if (change.kind === 'react' && change.emoji !== undefined) {
      const users = reactions.get(change.emoji) ?? new Set<UserId>();
      if (change.on) users.add(change.by);
      else users.delete(change.by);
      reactions.set(change.emoji, users);
    }
  }
  const { text: _original, scrubbed: _scrubbed, file, ...rest } = message;
  if (isDeleted) return { ...rest, deleted: true };
  const shown = [...reactions].filter(([, users]) => users.size > 0).map(([emoji, users]) => ({ emoji, users: [...users] }));
  return {
    ...rest,
    ...(text === undefined ? undefined : { text }),
    ...(file === undefined ? undefined : { file }),
    ...(edited === undefined ? undefined : { edited }),
    ...(shown.length === 0 ? undefined : { reactions: shown }),
  };
}

function quoteOf(seq: number, parent: MessageView | undefined): NonNullable<MessageView['quote']> {
  if (!parent) return { seq };
  const { by, name, text, deleted } = parent;
  return {
    seq,
    by,
    ...(name === undefined ? undefined : { name }),
    ...(text === undefined ? undefined : { text: [...text].slice(0, quoteCharsMax).join('') }),
    ...(deleted ? { deleted } : undefined),
  };
}

function groupByTarget(changes: readonly Entry[]): Map<number, Entry[]> {
  const groups = new Map<number, Entry[]>();
  for (const change of changes) {
    if (change.target === undefined) continue;
    const group = groups.get(change.target);
    if (group) group.push(change);
    else groups.set(change.target, [change]);
  }
  return groups;
}

function deletedTargets(changes: readonly Entry[]): Set<number> {
  return new Set(changes.flatMap((change) => (change.kind === 'delete' && change.target !== undefined ? [change.target] : [])));
}
