/**
 * Chat format: from messages and changes to lines of a terminal. Pure.
 *
 * Guarantees: nothing that other users wrote reaches the terminal with a control character in it, so that no text can
 * move the cursor, change colours or fake another line.
 */
import type { WireEntry, WireMessage, WireVoice } from '../client-protocol.ts';
import type { ViewChange } from './room-view.ts';

/** Controls, lone surrogates, line separators, and marks that turn the direction of the text around them. */
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const quoteCharsMax = 60;

/** Text of other users as it may be printed: one line, line breaks shown as ⏎, tabs as blanks. */
export function clean(text: string): string {
  return text
    .replace(/\r\n|[\r\n\u2028\u2029]/g, ' ⏎ ')
    .replaceAll('\t', ' ')
    .replace(unprintable, '');
}

export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  warn(text: string): string;
}

const plain = (text: string): string => text;
const sgr = (code: number) => (text: string) => (text === '' ? '' : `\u001b[${code}m${text}\u001b[0m`);

export const paintFor = (isColored: boolean): Paint =>
  isColored ? { dim: sgr(2), bold: sgr(1), warn: sgr(33) } : { dim: plain, bold: plain, warn: plain };

const nameOf = ({ by, name }: { readonly by?: string; readonly name?: string }): string => clean(name ?? by ?? 'somebody');

function short(text: string): string {
  const points = [...clean(text)];
  return points.length <= quoteCharsMax ? points.join('') : `${points.slice(0, quoteCharsMax).join('')}…`;
}

function quoteLine(quote: NonNullable<WireMessage['quote']>): string {
  if (quote.deleted) return `  ┌ #${quote.seq} (deleted)`;
  if (quote.text === undefined) return `  ┌ #${quote.seq}`;
  return `  ┌ #${quote.seq} ${nameOf(quote)}: ${short(quote.text)}`;
}

function reactionsOf(message: WireMessage): string {
  const shown = (message.reactions ?? []).map(({ emoji, users }) => `${clean(emoji)} ${users.length}`);
  return shown.length === 0 ? '' : `  [${shown.join(' ')}]`;
}

/** What was uploaded, and how to get it. */
function fileText({ file, seq }: WireMessage): string | undefined {
  return file && `[${file.name}, ${file.type}, ${file.bytes.toLocaleString('en')} bytes: /get ${seq}]`;
}

/** Who is in which voice channel, in one line. */
export function voiceLine({ community, channels, complete }: WireVoice): string {
  const shown = Object.entries(channels).map(([channel, users]) => `${clean(channel)}: ${users.map(clean).join(', ')}`);
  return `voice in ${clean(community)}: ${shown.length === 0 ? 'nobody' : shown.join(' · ')}${complete ? '' : ' (others may be missing)'}`;
}

/** A message, with its quote above. One element a line. */
export function messageLines(message: WireMessage, paint: Paint): readonly string[] {
  const number = paint.dim(`#${message.seq}`);
  const body = message.deleted ? paint.dim('(deleted)') : clean(message.text ?? fileText(message) ?? '(no text)');
  const marks = `${message.edited === undefined ? '' : paint.dim(' (edited)')}${paint.dim(reactionsOf(message))}`;
  const line = `${number} ${paint.bold(nameOf(message))}: ${body}${marks}`;
  return message.quote ? [paint.dim(quoteLine(message.quote)), line] : [line];
}

/** What an entry did, as lines. */
export function changeLines(change: ViewChange, paint: Paint): readonly string[] {
  switch (change.type) {
    case 'message':
      return messageLines(change.message, paint);
    case 'edited':
      return [`${paint.dim(`#${change.by.seq}`)} ${nameOf(change.by)} edited #${change.target}: ${clean(change.by.text ?? '(removed)')}`];
    case 'deleted':
      return [`${paint.dim(`#${change.by.seq}`)} ${nameOf(change.by)} deleted #${change.target}`];
    case 'reacted': {
      const verb = change.by.on ? 'reacted' : 'took back';
      return [`${paint.dim(`#${change.by.seq}`)} ${nameOf(change.by)} ${verb} ${clean(change.by.emoji ?? '?')} on #${change.target}`];
    }
    case 'member':
      return [paint.dim(`#${change.entry.seq} ${memberText(change.entry)}`)];
    case 'room':
      return [paint.dim(`#${change.entry.seq} ${nameOf(change.entry)} created the room`)];
    case 'unknown':
      return [];
  }
}

function memberText(entry: WireEntry): string {
  const { member } = entry;
  const by = nameOf(entry);
  const user = clean(member?.user ?? 'somebody');
  switch (member?.change) {
    case 'invited':
      return `${by} invited ${user}`;
    case 'kicked':
      return `${by} removed ${user}`;
    case 'joined':
      return `${by} joined`;
    default:
      return `${by} left`;
  }
}
