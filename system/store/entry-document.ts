/**
 * EntryDocument: how an entry is stored: JSON with short names, and a checksum bound to its key.
 *
 * Guarantees: decode(encode(e)) equals e, lone surrogates included (JSON escapes them); a value that was changed, cut or
 * stored under another key does not open. Does not: know which store holds it.
 */
import { crc32 } from 'node:zlib';
import type { Cid, UserId } from '../ids.ts';
import type { Entry, EntryKind, FileFacts, MemberChange, RoomFacts } from './entry.ts';

interface EntryDocument {
  s: number;
  n: number;
  k: EntryKind;
  b: UserId;
  bn?: string;
  a: number;
  c: Cid;
  w: string;
  t?: string;
  r?: number;
  g?: number;
  e?: string;
  o?: boolean;
  m?: MemberChange;
  f?: RoomFacts;
  d?: FileFacts;
  x?: true;
  /** Seq of the last message before this entry; 0 when there is none. The chain that pages of messages follow. */
  p: number;
}

/** An entry as it stands in a log: with the link to the message before it. */
export interface StoredEntry {
  readonly entry: Entry;
  readonly previousMessage: number;
}

/** Characters that stand in JSON as they are. */
const plain = /^[ !#-[\]-~]*$/;
const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));

/** A number as JSON has it: nothing else would be read back. */
const digits = (value: number): string => (Number.isFinite(value) ? `${value}` : 'null');

/** An EntryDocument as JSON, put together by hand: in half the time, and each append pays it for each entry. */
export function encodeEntry(entry: Entry, previousMessage: number): string {
  let json = `{"s":${entry.seq},"n":${entry.n},"k":"${entry.kind}","b":${quoted(entry.by)},"a":${digits(entry.at)},"c":${quoted(entry.cid)},"w":${quoted(entry.writer)},"p":${previousMessage}`;
  if (entry.name !== undefined) json += `,"bn":${quoted(entry.name)}`;
  if (entry.text !== undefined) json += `,"t":${quoted(entry.text)}`;
  if (entry.replyTo !== undefined) json += `,"r":${digits(entry.replyTo)}`;
  if (entry.target !== undefined) json += `,"g":${digits(entry.target)}`;
  if (entry.emoji !== undefined) json += `,"e":${quoted(entry.emoji)}`;
  if (entry.on !== undefined) json += `,"o":${entry.on}`;
  if (entry.member !== undefined) json += `,"m":${JSON.stringify(entry.member)}`;
  if (entry.room !== undefined) json += `,"f":${JSON.stringify(entry.room)}`;
  if (entry.file !== undefined) json += `,"d":${JSON.stringify(entry.file)}`;
  if (entry.scrubbed) json += ',"x":true';
  return `${json}}`;
}

/** Throws when `json` is no entry. */
export function decodeEntry(json: string): StoredEntry {
  const document = JSON.parse(json) as EntryDocument;
  if (typeof document.s !== 'number' || typeof document.p !== 'number') throw new TypeError('not an entry');
  const entry: Entry = {
    seq: document.s,
    n: document.n,
    kind: document.k,
    by: document.b,
    ...(document.bn !== undefined && { name: document.bn }),
    at: document.a,
    cid: document.c,
    writer: document.w,
    ...(document.t !== undefined && { text: document.t }),
    ...(document.r !== undefined && { replyTo: document.r }),
    ...(document.g !== undefined && { target: document.g }),
    ...(document.e !== undefined && { emoji: document.e }),
    ...(document.o !== undefined && { on: document.o }),
    ...(document.m !== undefined && { member: document.m }),
    ...(document.f !== undefined && { room: document.f }),
    ...(document.d !== undefined && { file: document.d }),
    ...(document.x && { scrubbed: true as const }),
  };
  return { entry, previousMessage: document.p };
}

/** The entry without its text and what it says of a file, as every read answers it once its message was deleted. */
export function scrub(entry: Entry): Entry {
  const { text: _text, file: _file, ...rest } = entry;
  return { ...rest, scrubbed: true };
}

const checksumChars = 7;
/** crc32 of key and content, as 7 digits of base 36. ASCII, so that key, checksum and content stay one UTF-8 string. */
const checksum = (key: string, content: string): string =>
  crc32(key + content)
    .toString(36)
    .padStart(checksumChars, '0');

/** What is stored under `key` for this content. */
export const sealValue = (key: string, content: string): string => checksum(key, content) + content;

/** The content of a sealed value; undefined when it is not what was sealed for this key. */
export function openValue(key: string, value: string): string | undefined {
  const content = value.slice(checksumChars);
  return value.startsWith(checksum(key, content)) ? content : undefined;
}
