/**
 * State line decoder: from a line of text to a NodeLine or a ServerLine, or to the reason why it is none; and back.
 *
 * Guarantees: never throws; unknown types, unknown fields and anything beyond a bound are refused; a reason echoes nothing of the line.
 * Does not: know the connection. The length of the line is bounded before (`FrameDecoder`).
 */
import { z } from 'zod';
import { idPattern } from '../ids.ts';
import { encodeLine } from './frame-codec.ts';
import { type NodeLine, placeCharsMax, placesMax, type ServerLine } from './state-lines.ts';

export type Decoded<Line> = { readonly ok: true; readonly line: Line } | { readonly ok: false; readonly reason: string };

/** More rows than a line has room for: the bound of the line is met first. */
const rowsMax = 20_000;

const printable = (charsMax: number) => z.string().regex(new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${charsMax}}$`, 'u'));
const name = printable(128);
/** A voice channel's is made of the names of two things. */
const place = printable(placeCharsMax);
const user = z.string().regex(idPattern);
const users = z.array(user).max(rowsMax).readonly();
const names = z.array(name).max(rowsMax).readonly();
const id = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const sessionRow = z.tuple([name, user, place]).readonly();
const stateRow = z.tuple([user, z.enum(['online', 'offline']), z.array(place).max(placesMax).readonly()]).readonly();
const sessionRows = z.array(sessionRow).max(rowsMax).readonly();
const stateRows = z.array(stateRow).max(rowsMax).readonly();
/** base64url of up to 64 bytes. */
const token = z.string().regex(/^[A-Za-z0-9_-]{16,86}$/);

const nodeLine = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), v: z.literal(1), node: name, inc: name, voice: z.literal(true).optional() }),
  z.strictObject({ type: z.literal('auth'), mac: token }),
  z.strictObject({ type: z.literal('health') }),
  z.strictObject({ type: z.literal('snapshot'), id, first: z.boolean(), last: z.boolean(), sessions: sessionRows, watch: users }),
  z.strictObject({ type: z.literal('sessions'), id, put: sessionRows, gone: z.array(name).max(rowsMax).readonly() }),
  z.strictObject({ type: z.literal('watch'), id, on: users, off: users }),
  z.strictObject({ type: z.literal('voice'), id, on: names, off: names }),
  z.strictObject({ type: z.literal('ping'), id }),
  z.strictObject({ type: z.literal('bye'), id }),
]) as z.ZodType<NodeLine>;

const serverLine = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), v: z.literal(1), server: name, nonce: token.optional(), voice: z.literal(true).optional() }),
  z.strictObject({ type: z.literal('authenticated') }),
  z.strictObject({ type: z.literal('healthy') }),
  z.strictObject({
    type: z.literal('refused'),
    code: z.enum(['AUTH_REQUIRED', 'INVALID', 'TOO_LONG', 'TOO_MANY_CONNECTIONS', 'SUPERSEDED', 'FULL']),
    message: printable(256),
  }),
  z.strictObject({ type: z.literal('ok'), id }),
  z.strictObject({ type: z.literal('pong'), id }),
  z.strictObject({ type: z.literal('states'), id, states: stateRows }),
  z.strictObject({ type: z.literal('changes'), states: stateRows }),
  z.strictObject({
    type: z.literal('voices'),
    community: name,
    first: z.boolean(),
    last: z.boolean(),
    whole: z.boolean(),
    channels: z
      .array(z.tuple([name, users]).readonly())
      .max(rowsMax)
      .readonly(),
  }),
]) as z.ZodType<ServerLine>;

export const decodeNodeLine = (text: string): Decoded<NodeLine> => decode(nodeLine, text);
export const decodeServerLine = (text: string): Decoded<ServerLine> => decode(serverLine, text);

/** The bytes of one line, CRLF included. Lines longer than `lineBytesMax` are the caller's mistake. */
export const encodeNodeLine = (line: NodeLine): Buffer => encodeLine(JSON.stringify(line));
export const encodeServerLine = (line: ServerLine): Buffer => encodeLine(JSON.stringify(line));

function decode<Line>(schema: z.ZodType<Line>, text: string): Decoded<Line> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'no JSON' };
  }
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, line: result.data };
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  return { ok: false, reason: `${path === '' ? 'the line' : path.slice(0, 64)}: ${issue?.code ?? 'invalid'}` };
}
