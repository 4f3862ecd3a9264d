/**
 * RoomView: a room's messages as a person sees them, folded from a snapshot, history pages and live entries. Pure.
 *
 * Guarantees: the same entries give the same view, whichever part came folded in a page; an edit older than the one
 * shown changes nothing; a deleted message never gets its text back.
 * Bounded: beyond `messagesMax` the oldest are forgotten; a change of a forgotten message names only its seq.
 */
import type { WireEntry, WireMessage } from '../client-protocol.ts';

/** What an entry did to the view. `message` is undefined where the target is not in the view. */
export type ViewChange =
  | { readonly type: 'message'; readonly message: WireMessage }
  | { readonly type: 'edited' | 'deleted'; readonly target: number; readonly by: WireEntry; readonly message: WireMessage | undefined }
  | { readonly type: 'reacted'; readonly target: number; readonly by: WireEntry; readonly message: WireMessage | undefined }
  | { readonly type: 'member' | 'room' | 'unknown'; readonly entry: WireEntry };

const messagesMaxDefault = 2_000;
/** Characters of an answered message that a quote shows; as the server does. */
const quoteCharsMax = 200;
const messageKinds: ReadonlySet<string> = new Set(['message', 'reply', 'file']);

export class RoomView {
  private readonly bySeq = new Map<number, WireMessage>();
  private readonly messagesMax: number;

  constructor(messagesMax = messagesMaxDefault) {
    this.messagesMax = messagesMax;
  }

  get size(): number {
    return this.bySeq.size;
  }

  message(seq: number): WireMessage | undefined {
    return this.bySeq.get(seq);
  }

  /** In order of seq. */
  messages(): readonly WireMessage[] {
    return [...this.bySeq.values()].sort((a, b) => a.seq - b.seq);
  }

  /** A snapshot takes the place of everything: what lies between was skipped. */
  reset(messages: readonly WireMessage[]): void {
    this.bySeq.clear();
    this.addPage(messages);
  }

  /** A page of history. A message already here is left as it is: live entries may have moved it on. */
  addPage(messages: readonly WireMessage[]): void {
    for (const message of messages) if (!this.bySeq.has(message.seq)) this.bySeq.set(message.seq, message);
    this.trim();
  }

  /** The next entry of the room. */
  apply(entry: WireEntry): ViewChange {
    if (messageKinds.has(entry.kind)) return { type: 'message', message: this.add(entry) };
    switch (entry.kind) {
      case 'member':
      case 'room':
        return { type: entry.kind, entry };
      case 'modify':
      case 'delete':
      case 'react':
        return this.change(entry);
      default:
        return { type: 'unknown', entry };
    }
  }

  private add(entry: WireEntry): WireMessage {
    const { scrubbed, ...rest } = entry;
    const quote = entry.replyTo === undefined ? undefined : { quote: this.quoteOf(entry.replyTo) };
    const message: WireMessage = { ...rest, ...quote, ...(scrubbed && { deleted: true as const }) };
    this.bySeq.set(entry.seq, message);
    this.trim();
    return message;
  }

  private change(entry: WireEntry): ViewChange {
    const target = entry.target ?? 0;
    const before = this.bySeq.get(target);
    const message = before && changed(before, entry);
    if (message) this.bySeq.set(target, message);
    const type = entry.kind === 'modify' ? 'edited' : entry.kind === 'delete' ? 'deleted' : 'reacted';
    return { type, target, by: entry, message };
  }

  private quoteOf(seq: number): NonNullable<WireMessage['quote']> {
    const parent = this.bySeq.get(seq);
    if (!parent) return { seq };
    const { by, name, text, deleted } = parent;
    const shown = text === undefined ? undefined : { text: [...text].slice(0, quoteCharsMax).join('') };
    return { seq, by, ...(name !== undefined && { name }), ...shown, ...(deleted && { deleted }) };
  }

  private trim(): void {
    if (this.bySeq.size <= this.messagesMax) return;
    const oldest = [...this.bySeq.keys()].sort((a, b) => a - b).slice(0, this.bySeq.size - Math.floor(this.messagesMax * 0.9));
    for (const seq of oldest) this.bySeq.delete(seq);
  }
}

function changed(message: WireMessage, entry: WireEntry): WireMessage {
  if (message.deleted) return message;
  switch (entry.kind) {
    case 'modify':
      // A page may have folded a later edit in already; a scrubbed edit has no text to show.
      if (entry.seq <= (message.edited ?? 0) || entry.text === undefined) return message;
      return { ...message, text: entry.text, edited: entry.seq };
    case 'delete': {
      const { text: _text, edited: _edited, reactions: _reactions, file: _file, ...rest } = message;
      return { ...rest, deleted: true };
    }
    default:
      return withReaction(message, entry);
  }
}

function withReaction(message: WireMessage, { emoji, by, on }: WireEntry): WireMessage {
  if (emoji === undefined) return message;
  const before = message.reactions ?? [];
  const users = (before.find((reaction) => reaction.emoji === emoji)?.users ?? []).filter((user) => user !== by);
  if (on) users.push(by);
  const isNew = !before.some((reaction) => reaction.emoji === emoji);
  const all = isNew ? [...before, { emoji, users }] : before.map((reaction) => (reaction.emoji === emoji ? { emoji, users } : reaction));
  const reactions = all.filter((reaction) => reaction.users.length > 0);
  const { reactions: _before, ...rest } = message;
  return reactions.length === 0 ? rest : { ...rest, reactions };
}
