/**
 * CidFilters: which client ids are certainly not in a room's log, without asking the disk. Bloom filters, one per busy room.
 *
 * The look-up of ids that are not there is half the cost of an append; nearly all ids are new.
 * Guarantees: 'absent' is true of everything committed and told here. 'unsure' means: ask the disk.
 * Does not: cover ids on their way (the log counts these), rooms too large, or what `forgetAll` forgot.
 */
import type { RoomId } from '../ids.ts';

/**
 * One false alarm in 170,000 for each layer: a batch asks hundreds of ids of rooms with several layers, and one alarm sends
 * it to the disk. At 16 bits that was every batch. Powers of two, so that a place is found by masking.
 */
const bitsPerId = 32;
const probes = 8;
const firstLayerIds = 256;
/** A room that was here before this process gets its filter after so many look-ups, by reading its ids once … */
const buildAfterLookUps = 8;
/** … unless it is larger than this: then the disk is asked each time. */
const builtEntriesMax = 200_000;
/** All filters together, 4 million ids; beyond it those not used longest are dropped. */
const bytesMax = 16 * 1024 * 1024;

class Layer {
  readonly #words: Uint32Array;
  readonly #idsMax: number;
  #ids = 0;

  constructor(idsMax: number) {
    this.#idsMax = idsMax;
    this.#words = new Uint32Array((idsMax * bitsPerId) / 32);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  get isFull(): boolean {
    return this.#ids >= this.#idsMax;
  }

  add(hash: number): void {
    this.#ids += 1;
    const step = stepOf(hash);
    const mask = this.#words.length * 32 - 1;
    for (let i = 0, at = hash; i < probes; i += 1, at = (at + step) | 0) {
      const bit = at & mask;
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
    }
  }

  has(hash: number): boolean {
    const step = stepOf(hash);
    const mask = this.#words.length * 32 - 1;
    for (let i = 0, at = hash; i < probes; i += 1, at = (at + step) | 0) {
      const bit = at & mask;
      if (((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** A second hash out of the first; odd, so that the probes differ. */
const stepOf = (hash: number): number => (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 1) >>> 0;

/** FNV-1a. Two ids with one hash cost a look at the disk, no more. */
export function hashId(idKey: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < idKey.length; i += 1) hash = Math.imul(hash ^ idKey.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

interface RoomFilter {
  readonly layers: Layer[];
  /** How often it was asked for before it was built. */
  lookUps: number;
  state: 'waiting' | 'building' | 'ready';
}

export class CidFilters {
  /** In order of use. */
  readonly #rooms = new Map<RoomId, RoomFilter>();
  readonly #readIds: (room: RoomId, each: (idKey: string) => void) => Promise<void>;
  #bytes = 0;

  /** `readIds` calls `each` for all ids of a room that are committed when it is called. */
  constructor(readIds: (room: RoomId, each: (idKey: string) => void) => Promise<void>) {
    this.#readIds = readIds;
  }

  /** Whether none of these ids is in the log of the room, which ends at `headSeq`. */
  ask(room: RoomId, headSeq: number, idHashes: readonly number[]): 'absent' | 'unsure' {
    const filter = this.#use(room, headSeq);
    if (filter.state === 'ready') {
      for (const hash of idHashes) {
        if (filter.layers.some((layer) => layer.has(hash))) return 'unsure';
      }
      return 'absent';
    }
    filter.lookUps += 1;
    if (filter.state === 'waiting' && filter.lookUps >= buildAfterLookUps && headSeq <= builtEntriesMax) void this.#build(room, filter);
    return 'unsure';
  }

  /** These ids are committed. To be called before anybody hears of it. */
  add(room: RoomId, idHashes: readonly number[]): void {
    const filter = this.#rooms.get(room);
    if (filter && filter.state !== 'waiting') for (const hash of idHashes) this.#addTo(filter, hash);
  }

  forgetAll(): void {
    this.#rooms.clear();
    this.#bytes = 0;
  }

  #use(room: RoomId, headSeq: number): RoomFilter {
    const filter = this.#rooms.get(room) ?? { layers: [], lookUps: 0, state: headSeq === 0 ? 'ready' : 'waiting' };
    this.#rooms.delete(room);
    this.#rooms.set(room, filter);
    return filter;
  }

  async #build(room: RoomId, filter: RoomFilter): Promise<void> {
    // From here on commits add themselves, so the ids that the reading does not see yet are not missed.
    filter.state = 'building';
    try {
      await this.#readIds(room, (key) => this.#addTo(filter, hashId(key)));
      filter.state = 'ready';
    } catch {
      // Not readable now: the disk goes on being asked, and says why.
      this.#drop(room, filter);
    }
  }

  #addTo(filter: RoomFilter, hash: number): void {
    let layer = filter.layers.at(-1);
    if (!layer || layer.isFull) {
      layer = new Layer(firstLayerIds * 2 ** filter.layers.length);
      filter.layers.push(layer);
      this.#bytes += layer.bytes;
      this.#shrink(filter);
    }
    layer.add(hash);
  }

  #shrink(keep: RoomFilter): void {
    for (const [room, filter] of this.#rooms) {
      if (this.#bytes <= bytesMax) return;
      if (filter !== keep && filter.state !== 'building') this.#drop(room, filter);
    }
  }

  #drop(room: RoomId, filter: RoomFilter): void {
    if (this.#rooms.get(room) !== filter) return;
    this.#rooms.delete(room);
    for (const layer of filter.layers) this.#bytes -= layer.bytes;
  }
}
