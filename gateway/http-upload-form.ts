/**
 * UploadForm: reads the multipart body of an upload as it comes: the fields `cid` and `replyTo`, then one `file`.
 *
 * Guarantees: fields are checked before a byte of the file is taken, as a command's are; what is not one of these parts is refused
 * with the rule; a body that ends early, has no boundary, or too many or too long parts is refused, and what was stored of it is
 * given to `drop`.
 * Does not: judge rights, or time (files.ts does).
 */
import type { Readable } from 'node:stream';
import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Refusal, refuse } from '../system/errors.ts';
import type { StoredFile } from '../system/files/file-store.ts';
import { type Cid, idPattern } from '../system/ids.ts';
import type { FileFacts } from '../system/store/entry.ts';
import { isRefusal } from './session-port.ts';

export interface UploadFields {
  readonly cid: Cid;
  readonly replyTo?: number;
}

/** What is done with the bytes. A rejection with what is no fault of the body is the caller's. */
export type TakeFile = (fields: UploadFields, name: string | undefined, bytes: Readable) => Promise<TakenFile | Refusal>;

export interface TakenFile {
  readonly file: StoredFile;
  readonly facts: FileFacts;
}

export const uploadLimits = { fieldNameSize: 32, fieldSize: 128, fields: 2, files: 1, parts: 3, headerPairs: 16 } as const;

const rule = 'the body must be multipart/form-data with the fields cid and, if it is a reply, replyTo, and then one file';
const fieldsRule = z.strictObject({
  cid: z.string('is missing; it must come before the file').regex(idPattern, 'must match [A-Za-z0-9_-]{1,64}'),
  replyTo: z
    .string()
    .regex(/^[1-9]\d{0,15}$/, 'must be the number of a message')
    .transform(Number)
    .refine(Number.isSafeInteger, 'must be the number of a message')
    .optional(),
});

export async function readUploadForm(
  request: FastifyRequest,
  bytesMax: number,
  { take, drop }: { readonly take: TakeFile; readonly drop: (taken: TakenFile) => Promise<void> },
): Promise<{ readonly fields: UploadFields; readonly taken: TakenFile } | Refusal> {
  const given = new Map<string, string>();
  let done: { fields: UploadFields; taken: TakenFile } | undefined;
  let refusal: Refusal | undefined;
  let fault: unknown;
  const takePart = async (part: MultipartFile, fields: UploadFields | Refusal): Promise<TakenFile | Refusal> => {
    if (isRefusal(fields)) return fields;
    try {
      return await take(fields, part.filename, part.file);
    } catch (error) {
      if (part.file.errored === null && !isPremature(error)) fault = error;
      throw error;
    }
  };
  try {
    // One more byte than may come: so the store sees that it is too large, and keeps nothing.
    const parts = request.parts({ limits: { ...uploadLimits, fileSize: bytesMax + 1 } });
    for await (const part of parts as AsyncIterableIterator<Multipart>) {
      if (part.type === 'field') refusal = done ? refuse('INVALID', rule) : takeField(given, part);
      else if (part.fieldname !== 'file' || done) refusal = refuse('INVALID', rule);
      else {
        const fields = fieldsOf(given);
        const taken = await takePart(part, fields);
        if (isRefusal(taken)) refusal = taken;
        else done = { fields: fields as UploadFields, taken };
      }
      if (refusal) break;
    }
    refusal ??= done ? undefined : refuse('INVALID', `${rule}: there is no file`);
  } catch {
    if (done) await drop(done.taken);
    if (fault !== undefined) throw fault;
    return refuse('INVALID', rule); // Of the parser, or of the connection: what they say stays inside.
  }
  if (refusal && done) await drop(done.taken);
  return refusal ?? (done as { fields: UploadFields; taken: TakenFile });
}

function takeField(given: Map<string, string>, part: Extract<Multipart, { type: 'field' }>): Refusal | undefined {
  const { fieldname: name, value, valueTruncated } = part;
  if (given.has(name) || typeof value !== 'string') return refuse('INVALID', rule);
  if (valueTruncated) return refuse('INVALID', `a field has at most ${uploadLimits.fieldSize} bytes`);
  given.set(name, value);
  return undefined;
}

function fieldsOf(given: ReadonlyMap<string, string>): UploadFields | Refusal {
  const parsed = fieldsRule.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data as UploadFields;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') return refuse('INVALID', rule);
  return refuse('INVALID', `${issue?.path.join('.') ?? 'field'} ${issue?.message ?? 'is not valid'}`);
}

const isPremature = (error: unknown): boolean => (error as { readonly code?: unknown } | null)?.code === 'ERR_STREAM_PREMATURE_CLOSE';
