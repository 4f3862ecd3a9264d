/**
 * Command decoder: from whatever a client sent to a ClientCommand, or to a refusal that names the field and the rule.
 *
 * Owns: the rules of every field of every command.
 * Guarantees: never throws; the command is a fresh object with known keys only; a refusal never echoes more than 64 characters.
 * Does not: know the socket, count commands, or ask whether things exist. Depth and keys are checked before (payload-guard.ts).
 */
import { z } from 'zod';
import type { ClientCommand } from '../actors/client-command.ts';
import { refuse } from '../system/errors.ts';
import { idPattern, type RoomId } from '../system/ids.ts';
import type { LimitedRefusal } from './client-encoding.ts';
import { type CommandEvent, type CommandPayloads, commandTypes } from './client-protocol.ts';
import { tokenCharactersMax } from './token.ts';

/** Default of CHAT_TEXT_BYTES_MAX. More: PAYLOAD_TOO_LARGE. Far below the transport's limit, which kills the connection without a word. */
export const textBytesDefault = 16_384;
/** First members of a room. More: INVALID; invite the others afterwards. */
export const membersMax = 100;
/** Users one connection watches. More: INVALID. */
export const watchedUsersMax = 200;
const nameCodePointsMax = 80;
const emojiBytesMax = 32;
const openLimitMax = 500;
const historyLimitMax = 100;
const pageLimitDefault = 50;

// ---- fields; each message completes the sentence "<field> …" ----

const controlCharacter = /\p{Cc}/u;
const loneSurrogate = /\p{Cs}/u;
const spaceOrControl = /[\s\p{Cc}\p{Cs}]/u;

const string = z.string('must be a string');
const id = string.regex(idPattern, 'must match [A-Za-z0-9_-]{1,64}');
const seqFrom = (least: 0 | 1) => {
  const rule = `must be a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`;
  return z.number(rule).refine((value) => Number.isSafeInteger(value) && value >= least && !Object.is(value, -0), rule);
};
const seq = seqFrom(1);
const limitUpTo = (most: number) => {
  const rule = `must be a whole number from 1 to ${most}`;
  return z.number(rule).int(rule).min(1, rule).max(most, rule).default(pageLimitDefault);
};
const boolean = z.boolean('must be true or false');
/** Its size is checked apart from the schema, because the limit is a setting and the code is another. */
const text = string
  .min(1, 'must not be empty')
  .refine((value) => !loneSurrogate.test(value), 'must be well-formed unicode')
  .refine((value) => !value.includes('\0'), 'must not contain NUL');
const label = string
  .min(1, 'must not be empty')
  .refine(
    (value) => value.length <= 2 * nameCodePointsMax && [...value].length <= nameCodePointsMax,
    `must have at most ${nameCodePointsMax} characters`,
  )
  .refine((value) => !controlCharacter.test(value), 'must not contain control characters')
  .refine((value) => !loneSurrogate.test(value), 'must be well-formed unicode');
const emoji = string
  .min(1, 'must not be empty')
  .refine((value) => value.length <= emojiBytesMax && Buffer.byteLength(value) <= emojiBytesMax, `must have at most ${emojiBytesMax} bytes`)
  .refine((value) => !spaceOrControl.test(value), 'must not contain white space or control characters');
const epoch = string.regex(/^[\x21-\x7e]{1,128}$/, 'must be an epoch as it was answered');

// ---- commands ----

const room = { room: id };
const change = { ...room, cid: id };

const schemas = {
  'auth:refresh': z.strictObject({
    token: string.min(1, 'must not be empty').max(tokenCharactersMax, `must have at most ${tokenCharactersMax} characters`),
  }),
  'room:create': z
    .strictObject({
      kind: z.enum(['dm', 'group', 'channel'], 'must be dm, group or channel'),
      id: id.optional(),
      name: label.optional(),
      public: boolean.optional(),
      community: id.optional(),
      members: z
        .array(id, 'must be a list of user ids')
        .max(membersMax, `must have at most ${membersMax} users`)
        .refine((members) => new Set(members).size === members.length, 'must not name a user twice')
        .optional(),
    })
    .refine((create) => create.kind !== 'dm' || create.members?.length === 1, {
      path: ['members'],
      error: 'must be exactly one for a dm: the other user',
    })
    .refine((create) => create.kind !== 'dm' || create.id === undefined, {
      path: ['id'],
      error: 'must be left out for a dm: it is derived from its users',
    })
    .refine((create) => create.kind !== 'dm' || create.public !== true, { path: ['public'], error: 'must not be true for a dm' }),
  'room:list': z.strictObject({}),
  'room:join': z.strictObject(room),
  'room:leave': z.strictObject(room),
  'room:invite': z.strictObject({ ...room, user: id }),
  'room:kick': z.strictObject({ ...room, user: id }),
  'room:open': z.strictObject({ ...room, since: seqFrom(0).optional(), epoch: epoch.optional(), limit: limitUpTo(openLimitMax) }),
  'room:close': z.strictObject(room),
  'message:send': z.strictObject({ ...change, text, replyTo: seq.optional() }),
  'message:modify': z.strictObject({ ...change, target: seq, text }),
  'message:delete': z.strictObject({ ...change, target: seq }),
  'message:react': z.strictObject({ ...change, target: seq, emoji, on: boolean }),
  'history:get': z
    .strictObject({
      ...room,
      before: seq.optional(),
      after: seqFrom(0).optional(),
      around: seq.optional(),
      limit: limitUpTo(historyLimitMax),
    })
    .refine(({ before, after, around }) => [before, after, around].filter((given) => given !== undefined).length === 1, {
      path: ['before'],
      error: 'or after or around must be given, exactly one of them',
    }),
  typing: z.strictObject(room),
  'presence:watch': z.strictObject({
    users: z
      .array(id, 'must be a list of user ids')
      .max(watchedUsersMax, `must have at most ${watchedUsersMax} users`)
      .refine((users) => new Set(users).size === users.length, 'must not name a user twice'),
  }),
  'read:mark': z.strictObject({ ...room, seq }),
  'voice:enter': z.strictObject({ community: id, channel: id }),
  'voice:leave': z.strictObject({}),
  'voice:list': z.strictObject({ community: id }),
} as const satisfies { [Event in CommandEvent]: z.ZodType<unknown, Exclude<CommandPayloads[Event], undefined>> };

/** Event and fields of each command, for tests that must not miss one. */
export const commandFields: Readonly<Record<CommandEvent, readonly string[]>> = Object.fromEntries(
  Object.entries(schemas).map(([event, schema]) => [event, Object.keys(schema.shape)]),
) as unknown as Record<CommandEvent, readonly string[]>;

const knownEvents = Object.keys(commandTypes).join(', ');
export const isKnown = (event: unknown): event is CommandEvent => typeof event === 'string' && Object.hasOwn(commandTypes, event);

// ---- decoding ----

/** `auth:refresh` before its token was verified; then it is a command with an identity. */
export interface RefreshRequest {
  readonly type: 'auth.refresh';
  readonly token: string;
}
export type Decoded = Exclude<ClientCommand, { type: 'auth.refresh' }> | RefreshRequest;

export function decodeCommand(event: unknown, payload: unknown, textBytesMax: number = textBytesDefault): Decoded | LimitedRefusal {
  if (!isKnown(event)) return unknownEvent(event);
  const tooLarge = textTooLarge(payload, textBytesMax);
  if (tooLarge) return tooLarge;
  const parsed = schemas[event].safeParse(payload === undefined || payload === null ? absentPayload(event) : payload);
  if (!parsed.success) return refuse('INVALID', explain(parsed.error.issues[0]));
  return toCommand(event, parsed.data);
}

export const unknownEvent = (event: unknown): LimitedRefusal =>
  refuse('UNKNOWN_EVENT', `no event ${quoted(event)}; known events: ${knownEvents}`);

export const isCommand = (decoded: Decoded | LimitedRefusal): decoded is Decoded => 'type' in decoded;

/** Only these may come without a payload. */
const absentPayload = (event: CommandEvent): unknown => (event === 'room:list' || event === 'voice:leave' ? {} : undefined);

/** Checked first, so that the cost of the other rules is bounded by the limit. */
function textTooLarge(payload: unknown, textBytesMax: number): LimitedRefusal | undefined {
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, 'text')) return undefined;
  const value = (payload as { readonly text: unknown }).text;
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.byteLength(value);
  if (bytes <= textBytesMax) return undefined;
  return { ...refuse('PAYLOAD_TOO_LARGE', `text has ${bytes} bytes of UTF-8; the limit is ${textBytesMax}`), limit: textBytesMax };
}

/** The parsed payloads have the shapes that `schemas` states; this gives them the domain's names and brands. */
function toCommand(event: CommandEvent, fields: object): Decoded {
  const type = commandTypes[event];
  switch (type) {
    case 'room.create': {
      const create = fields as z.output<(typeof schemas)['room:create']>;
      return { ...present(create), type, public: create.public ?? false, members: create.members ?? [] } as unknown as Decoded;
    }
    case 'history.get': {
      const { room: id, before, after, around, limit } = fields as z.output<(typeof schemas)['history:get']>;
      const range = before !== undefined ? { before, limit } : after !== undefined ? { after, limit } : { around: around as number, limit };
      return { type, room: id as RoomId, range };
    }
    default:
      return { ...present(fields), type } as unknown as Decoded;
  }
}

/** The same fields without those that are there but undefined, which a caller in process could give and JSON cannot. */
function present(fields: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

// ---- words ----

/** At most 64 characters of what the client sent, as JSON, so that no control character reaches a log or a terminal. */
export function quoted(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : `of type ${typeof value}`;
}

function explain(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'payload is not valid';
  if (issue.code === 'unrecognized_keys') return `unknown field ${quoted(issue.keys[0])}`;
  if (issue.path.length === 0) return 'payload must be an object';
  return `${issue.path.join('.')} ${issue.message}`;
}
