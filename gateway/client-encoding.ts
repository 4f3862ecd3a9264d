/**
 * Client encoding: how domain values become the wire values that client-protocol.ts lists.
 *
 * Guarantees: a fresh object with known keys only; nothing internal (`writer`) leaves the node: a field that somebody adds to a domain
 * type stays inside until it is listed here.
 */
import type { Answer, CommandResult, MessageView, RoomSummary, RoomView } from '../actors/client-command.ts';
import type { PresenceView } from '../actors/user-state.ts';
import type { VoiceView } from '../actors/voice-state.ts';
import type { Refusal } from '../system/errors.ts';
import type { Entry } from '../system/store/entry.ts';
import type { ReadMark } from '../system/store/user-rooms.ts';
import type {
  CommandAnswers,
  CommandEvent,
  WireAnswer,
  WireEntry,
  WireError,
  WireMark,
  WireMessage,
  WirePresence,
  WireRoom,
  WireRoomSummary,
  WireVoice,
} from './client-protocol.ts';

/** A refusal with the limit that was exceeded. */
export type LimitedRefusal = Refusal & { readonly limit?: number };

const entryFields = [
  'seq',
  'n',
  'kind',
  'by',
  'name',
  'at',
  'cid',
  'text',
  'replyTo',
  'target',
  'emoji',
  'on',
  'file',
  'member',
  'room',
  'scrubbed',
] as const;
const messageFields = [...entryFields, 'edited', 'deleted', 'reactions', 'quote'] as const;
const roomFields = ['id', 'kind', 'name', 'public', 'community', 'role', 'head', 'epoch', 'members'] as const;
const presenceFields = ['user', 'state', 'place'] as const;
const errorFields = ['code', 'message', 'retryable', 'retryAfterMs', 'limit'] as const;

/** The listed fields that are there. */
function pick<From extends object, Key extends keyof From>(from: From, keys: readonly Key[]): Pick<From, Key> {
  const to: Partial<Pick<From, Key>> = {};
  for (const key of keys) if (from[key] !== undefined) to[key] = from[key];
  return to as Pick<From, Key>;
}

export const encodeEntry = (entry: Entry): WireEntry => pick(entry, entryFields);
export const encodeMessage = (message: MessageView): WireMessage => pick(message, messageFields);
export const encodeMark = (mark: ReadMark): WireMark => pick(mark, ['user', 'seq', 'n']);
export const encodeRoom = (room: RoomView): WireRoom => pick(room, roomFields);
export const encodePresence = (view: PresenceView): WirePresence => pick(view, presenceFields);
export function encodeVoice({ community, channels, complete }: VoiceView): WireVoice {
  // A channel may be called __proto__: it is to become a key like others.
  return { community, channels: Object.fromEntries(channels), complete };
}
export const encodeRefusal = (refusal: LimitedRefusal): WireError => pick(refusal, errorFields);

function encodeSummary(summary: RoomSummary): WireRoomSummary {
  const { id, head, n, read, unread, last } = summary;
  return { id, head, n, read, unread, ...(last && { last: encodeMessage(last) }) };
}

export function encodeAnswer(answer: Answer): WireAnswer {
  if (!answer.ok) return { ok: false, error: encodeRefusal(answer.refusal) };
  return { ok: true, ...encodeResult(answer.result) } as WireAnswer;
}

function encodeResult(result: CommandResult): CommandAnswers[CommandEvent] {
  switch (result.type) {
    case 'done':
      return {};
    case 'refreshed':
      return { expiresAt: result.expiresAtMs };
    case 'room':
      return { room: encodeRoom(result.room) };
    case 'rooms':
      return { rooms: result.rooms.map(encodeSummary) };
    case 'stored':
      return { seq: result.seq, at: result.at, ...(result.dup && { dup: true as const }) };
    case 'opened': {
      const { verdict, head, upTo, epoch, more } = result;
      return { verdict, head, upTo, epoch, entries: result.entries.map(encodeMessage), more };
    }
    case 'presence':
      return { states: result.states.map(encodePresence) };
    case 'voice':
      return encodeVoice(result.view);
    case 'marked':
      return { seq: result.seq, unread: result.unread };
    case 'history':
      return { entries: result.entries.map(encodeMessage), hasBefore: result.hasBefore, hasAfter: result.hasAfter };
  }
}
