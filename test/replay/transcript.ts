/**
 * Transcript: real conversations as data, and safe ids for their people and rooms.
 *
 * Guarantees: every line is checked, a bad one is named by file and line number; different nicks give different user ids.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';

export type TranscriptLine =
  | { readonly t: number; readonly user: string; readonly kind: 'message'; readonly text: string }
  | { readonly t: number; readonly user: string; readonly kind: 'reply'; readonly text: string; readonly replyTo: number }
  | { readonly t: number; readonly user: string; readonly kind: 'join' | 'leave' }
  | { readonly t: number; readonly user: string; readonly kind: 'nick'; readonly to: string };

export interface Transcript {
  readonly name: string;
  readonly lines: readonly TranscriptLine[];
}

export async function readTranscript(path: string, linesMax = Number.POSITIVE_INFINITY): Promise<Transcript> {
  const bytes = await readFile(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return parseTranscript(basename(path).replace(/\.jsonl(\.gz)?$/, ''), text, linesMax);
}

export function parseTranscript(name: string, text: string, linesMax = Number.POSITIVE_INFINITY): Transcript {
  const raw = text.split('\n');
  if (raw.at(-1) === '') raw.pop();
  const lines: TranscriptLine[] = [];
  for (const [index, line] of raw.slice(0, linesMax).entries()) {
    const mistake = (what: string) => new Error(`${name} line ${index + 1}: ${what}`);
    lines.push(parseLine(line, index, lines.at(-1)?.t ?? 0, mistake));
  }
  return { name, lines };
}

function parseLine(json: string, index: number, afterT: number, mistake: (what: string) => Error): TranscriptLine {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    throw mistake('is not JSON');
  }
  if (typeof raw !== 'object' || raw === null) throw mistake('is not an object');
  const { t, user, kind, text, replyTo, to } = raw as Record<string, unknown>;
  if (typeof t !== 'number' || !Number.isFinite(t) || t < afterT) throw mistake('t must be a number, not before the line above');
  if (typeof user !== 'string' || user === '') throw mistake('user must be a nick');
  switch (kind) {
    case 'message':
    case 'reply': {
      if (typeof text !== 'string' || text === '') throw mistake('text must not be empty');
      if (kind === 'message') return { t, user, kind, text };
      if (typeof replyTo !== 'number' || !Number.isInteger(replyTo) || replyTo < 0 || replyTo >= index) {
        throw mistake('replyTo must be the number of an earlier line');
      }
      return { t, user, kind, text, replyTo };
    }
    case 'join':
    case 'leave':
      return { t, user, kind };
    case 'nick':
      if (typeof to !== 'string' || to === '') throw mistake('to must be a nick');
      return { t, user, kind, to };
    default:
      throw mistake('kind must be message, reply, join, leave or nick');
  }
}

const idCharsMax = 64;

/**
 * A user id for a nick: what the id pattern does not allow becomes `_hh` per byte, `_` itself too. `suffix` (at most 18 of
 * the pattern's characters) makes it unique to a run; it begins with `_` and a letter that is no hex digit, so that
 * nick and suffix never run into each other. Names too long for that are hashed.
 */
export function userIdOf(nick: string, suffix: string): string {
  const encoded = [...nick].map((char) => (/^[A-Za-z0-9-]$/.test(char) ? char : escapeChar(char))).join('');
  if (encoded.length + suffix.length <= idCharsMax) return encoded + suffix;
  return `_h${createHash('sha256').update(nick).digest('base64url')}${suffix}`;
}

const escapeChar = (char: string): string => [...Buffer.from(char)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join('');

/** A room id of a file and a run; `run` has at most 16 characters of the pattern. */
export function roomIdOf(name: string, run: string): string {
  const safe = name.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, idCharsMax - run.length - 1);
  return `${safe === '' ? 'room' : safe}-${run}`;
}
