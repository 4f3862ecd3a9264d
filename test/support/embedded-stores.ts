/**
 * Embedded stores in folders of their own, removed at the end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../system/clock.ts';
import { createLogger, type Logger } from '../../system/logger.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';

export const silentLog: Logger = createLogger({ level: 'silent', base: {} });

export function tempFolder(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-store-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export interface EmbeddedStores {
  open(): Promise<RoomStore>;
  reopen(store: RoomStore): Promise<RoomStore>;
  removeAll(): void;
}

export function embeddedStores(): EmbeddedStores {
  const folders = new Map<RoomStore, string>();
  const temps: { remove(): void }[] = [];
  const openIn = async (dir: string): Promise<RoomStore> => {
    const store = await openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
    folders.set(store, dir);
    return store;
  };
  return {
    open() {
      const temp = tempFolder();
      temps.push(temp);
      return openIn(join(temp.dir, 'made', 'by-the-store'));
    },
    reopen: (store) => openIn(folders.get(store) as string),
    removeAll() {
      for (const temp of temps) temp.remove();
    },
  };
}
