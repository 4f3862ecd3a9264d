/**
 * OpenStore: the embedded store, as system/node.ts opens it.
 */
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';

export const quietLog = createLogger({ level: 'warn', base: { node: 'bench' } });

export const openStore = (dir: string): Promise<RoomStore> => openEmbeddedStore({ dir, clock: systemClock, log: quietLog });
