/**
 * FileIntake: from the body of an upload to the entry of a file.
 *
 * Guarantees: rights are asked before the body is read; the bytes are durable before the entry is appended; what is refused, also by the
 * room in the end, leaves nothing; a retry is answered what the first try was, and its own bytes go.
 */
import { pipeline, type Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { RoomFiles } from '../actors/room-files.ts';
import { refuse } from '../system/errors.ts';
import { type FileStore, newFileId, type StoredFile } from '../system/files/file-store.ts';
import { isRoomId, type RoomId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import type { FileFacts } from '../system/store/entry.ts';
import type { LimitedRefusal } from './client-encoding.ts';
import { FirstBytes } from './file-kind.ts';
import { cleanFileName } from './file-name.ts';
import { readUploadForm, type TakenFile, type UploadFields } from './http-upload-form.ts';
import { type Identity, isRefusal } from './session-port.ts';

export interface FileIntakeDeps {
  readonly room: Pick<RoomFiles, 'refusalToWrite' | 'append'>;
  readonly store: Pick<FileStore, 'put' | 'remove'>;
  readonly fileBytesMax: number;
  /** So many bytes of this upload stay: a new entry names them, or may still come to. */
  readonly onKept: (bytes: number) => void;
  readonly log: Logger;
}

/** What is answered: the entry, as far as its sender needs it. `file` is gone where it was deleted since. */
export interface UploadAnswer {
  readonly room: string;
  readonly seq: number;
  readonly at: number;
  readonly kind: 'file';
  readonly by: string;
  readonly name: string;
  readonly cid: string;
  readonly replyTo?: number;
  readonly file?: FileFacts;
  /** The same cid was stored before; this is the answer of then. */
  readonly dup?: true;
}

export async function takeUpload(
  deps: FileIntakeDeps,
  { userId: by, name }: Identity,
  request: FastifyRequest,
): Promise<UploadAnswer | LimitedRefusal> {
  const { room } = request.params as { readonly room: string };
  if (!isRoomId(room)) return refuse('INVALID', 'room must match [A-Za-z0-9_-]{1,64}');
  if (!request.isMultipart()) return refuse('INVALID', 'the body must be multipart/form-data');
  const refusal = await deps.room.refusalToWrite(by, room);
  if (refusal) return refusal;
  const drop = ({ file }: TakenFile): Promise<void> => dropFile(deps, file);
  const form = await readUploadForm(request, deps.fileBytesMax, {
    take: (fields, claimed, bytes) => takeFile(deps, { room, by, cid: fields.cid }, cleanFileName(claimed), bytes),
    drop,
  });
  if (isRefusal(form)) return form;
  return append(deps, room, { by, name }, form);
}

async function takeFile(
  { store, fileBytesMax }: FileIntakeDeps,
  owner: Pick<StoredFile, 'room' | 'by' | 'cid'>,
  name: string,
  source: Readable,
): Promise<TakenFile | LimitedRefusal> {
  const bytes = new FirstBytes();
  pipeline(source, bytes, () => {}); // An error of one is an error of both; the store says so.
  const id = newFileId(owner);
  const outcome = await store.put(id, owner, bytes, fileBytesMax);
  if (outcome.type === 'tooLarge') {
    return { ...refuse('PAYLOAD_TOO_LARGE', `a file has at most ${fileBytesMax} bytes`), limit: fileBytesMax };
  }
  const { file } = outcome;
  if (file.bytes === 0) {
    await store.remove(id);
    return refuse('INVALID', 'the file is empty');
  }
  return { file, facts: { id, name, type: await bytes.kind(), bytes: file.bytes, sha256: file.sha256 } };
}

async function append(
  deps: FileIntakeDeps,
  room: RoomId,
  { by, name }: Pick<StoredFile, 'by'> & { readonly name: string },
  { fields, taken }: { readonly fields: UploadFields; readonly taken: TakenFile },
): Promise<UploadAnswer | LimitedRefusal> {
  const { cid, replyTo } = fields;
  const { facts, file } = taken;
  const answer = await deps.room.append(room, { by, name, cid, file: facts, ...(replyTo === undefined ? undefined : { replyTo }) });
  if (!answer.ok) {
    // What may still come to be stored keeps its bytes; if it does not, the collector takes them.
    if (answer.refusal.retryable) deps.onKept(file.bytes);
    else await dropFile(deps, file);
    return answer.refusal;
  }
  if (answer.result.type !== 'stored') throw new TypeError(`a file was answered ${answer.result.type}`);
  const { seq, at, dup, file: stored } = answer.result;
  if (stored?.id === file.id) deps.onKept(file.bytes);
  else await dropFile(deps, file);
  const first = { room, seq, at, kind: 'file' as const, by, name, cid, ...(replyTo === undefined ? undefined : { replyTo }) };
  return { ...first, ...(stored && { file: stored }), ...(dup && { dup: true as const }) };
}

/** What cannot be removed now is an orphan, and collected. */
async function dropFile({ store, log }: FileIntakeDeps, { id }: StoredFile): Promise<void> {
  await store.remove(id).catch((error: unknown) => {
    log.warn({ ev: 'file.left', file: id, cause: String(error) }, 'a file that nobody refers to could not be removed now');
  });
}
