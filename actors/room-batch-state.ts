/**
 * RoomBatch: the commands of one append (or one forward) while it is put together. Pure.
 *
 * Guarantees: at most the bounds of the settings, no command twice, and nothing in it whose judgement depends on what is before it.
 */
import type { EntryDraft } from './room-fold.ts';
import type { RoomSettings, WaitingCommand } from './room-protocol.ts';

export class RoomBatch {
  readonly commands: WaitingCommand[] = [];
  readonly drafts: EntryDraft[] = [];
  /** What follows is judged by the state after it. */
  isClosed = false;
  private readonly settings: RoomSettings;
  private firstKey: string | undefined;
  /** Of the others, and what is deleted: most batches of a quiet room have neither. */
  private keys: Set<string> | undefined;
  private deleted: Set<number> | undefined;
  private bytes = 0;

  constructor(settings: RoomSettings) {
    this.settings = settings;
  }

  get size(): number {
    return this.commands.length;
  }

  has(key: string): boolean {
    return key === this.firstKey || this.keys?.has(key) === true;
  }

  /** false: it has to wait for the next one. */
  add(waiting: WaitingCommand, key: string, draft: EntryDraft): boolean {
    if (draft.target !== undefined && this.deleted?.has(draft.target)) return false;
    this.bytes += 256 + 3 * ((draft.text?.length ?? 0) + (draft.file?.name.length ?? 0));
    const { batchEntriesMax, batchBytesMax } = this.settings;
    if (this.size > 0 && (this.size >= batchEntriesMax || this.bytes > batchBytesMax)) return false;
    if (draft.kind === 'delete' && draft.target !== undefined) {
      this.deleted ??= new Set();
      this.deleted.add(draft.target);
    }
    this.commands.push(waiting);
    this.drafts.push(draft);
    this.addKey(key);
    this.isClosed = draft.member !== undefined || draft.room !== undefined;
    return true;
  }

  private addKey(key: string): void {
    if (this.firstKey === undefined) {
      this.firstKey = key;
      return;
    }
    this.keys ??= new Set();
    this.keys.add(key);
  }
}
