/**
 * RoomFiles: what HTTP asks of a room about files: whether somebody may write there, the entry of an uploaded file, and whether
 * somebody may read one.
 *
 * Guarantees: the room's log alone says that a file exists, the room's actor who is a member, as of a committed read no older than
 * the question. Not there, deleted and not yours are one answer. Every question is answered within `askDeadlineMs`.
 * Does not: touch bytes, or decode what a client sent.
 */
import { callbackRef } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { Fault, type Refusal, refuse } from '../system/errors.ts';
import type { FileStore, StoredFile } from '../system/files/file-store.ts';
import type { Cid, FileId, RoomId, UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import type { FileFacts } from '../system/store/entry.ts';
import type { Range, RoomLog } from '../system/store/room-log.ts';
import type { Answer } from './client-command.ts';
import type { RoomCommand } from './room-commands.ts';
import type { Rooms } from './rooms.ts';

export interface RoomFilesDeps {
  readonly rooms: Pick<Rooms, 'send'>;
  readonly log: Pick<RoomLog, 'byCid' | 'heads'>;
  readonly files: Pick<FileStore, 'stat'>;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
}

export interface FileCommand {
  readonly by: UserId;
  readonly name: string;
  readonly cid: Cid;
  readonly file: FileFacts;
  readonly replyTo?: number;
}

export interface ShownFile {
  readonly stored: StoredFile;
  readonly facts: FileFacts;
}

const askDeadlineMs = 15_000;
const noSuchFile = refuse('NOT_FOUND', 'no such file');

export class RoomFiles {
  private readonly deps: RoomFilesDeps;

  constructor(deps: RoomFilesDeps) {
    this.deps = deps;
  }

  /** Asked before the bytes are taken; the append judges again. undefined: they may. */
  async refusalToWrite(user: UserId, room: RoomId): Promise<Refusal | undefined> {
    const answer = await this.page(user, room, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    return answer.ok ? undefined : answer.refusal;
  }

  /** Into the room's log, as a message goes: with the others that wait, once for each cid. The bytes are durable by then. */
  append(room: RoomId, { by, name, cid, file, replyTo }: FileCommand): Promise<Answer> {
    const write = { type: 'file', file, ...(replyTo === undefined ? undefined : { replyTo }) } as const;
    return this.ask(room, (replyTo) => ({ type: 'room.write', command: { by, name, cid, write }, replyTo }));
  }

  async find(user: UserId, id: FileId): Promise<ShownFile | Refusal> {
    try {
      const stored = await this.deps.files.stat(id);
      if (!stored) return noSuchFile;
      const { room, by, cid } = stored;
      const [[entry], [head]] = await Promise.all([this.deps.log.byCid(room, [{ by, cid }]), this.deps.log.heads([room])]);
      if (entry?.file?.id !== id) return noSuchFile;
      // So that a removal that is committed is seen, also on a node that was not told of it yet.
      if (head) this.deps.rooms.send(room, { type: 'room.hint', seq: head.seq });
      const answer = await this.page(user, room, { around: entry.seq, limit: 1 });
      if (!answer.ok) return answer.refusal.retryable ? answer.refusal : noSuchFile;
      const shown = answer.result.type === 'history' ? answer.result.entries.find(({ seq }) => seq === entry.seq) : undefined;
      return shown?.file?.id === id ? { stored, facts: shown.file } : noSuchFile;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.deps.logger.warn({ ev: 'file.failed', file: id, cause: error.message }, 'a file could not be looked up');
      return error.code === 'FILE_CORRUPT' ? noSuchFile : refuse('STORE_UNAVAILABLE', 'the file could not be read; ask again', 1_000);
    }
  }

  private page(user: UserId, room: RoomId, range: Range): Promise<Answer> {
    return this.ask(room, (replyTo) => ({ type: 'room.history', user, range, replyTo }));
  }

  /** Always resolves: an answer may be lost with a room's actor, and nothing else would say so. */
  private ask(room: RoomId, toCommand: (replyTo: ReturnType<typeof callbackRef<Answer>>) => RoomCommand): Promise<Answer> {
    return new Promise((resolve) => {
      const lost = refuse('STORE_UNAVAILABLE', 'no answer in time; ask again with the same cid', 1_000);
      const cancel = this.deps.clock.after(askDeadlineMs, () => resolve({ ok: false, refusal: lost }));
      const replyTo = callbackRef<Answer>('files.asked', (answer) => {
        cancel();
        resolve(answer);
      });
      const refusal = this.deps.rooms.send(room, toCommand(replyTo));
      if (!refusal) return;
      cancel();
      resolve({ ok: false, refusal });
    });
  }
}
