/**
 * MongoIndexes: the collections of the MongoDB store and the indexes that its promises stand on. `npm run migrate` makes them.
 *
 * Guarantees: `indexMistakes` names every index that is missing or is not what stands here. Two of them carry the promises: the
 * unique (room, seq) lets one writer win a number, the unique `_id` of an entry (room, sender, cid) lets a retry be none.
 */
import type { mongo } from 'mongoose';

export const collectionNames = { entries: 'entries', userRooms: 'user_rooms', revocations: 'revocations', moves: 'moves' } as const;
/** The one document of `moves`: there while an embedded log is moved into this database and not all of it is here. */
export const movingId = 'moving';

interface IndexRow {
  readonly collection: string;
  readonly name: string;
  readonly key: Readonly<Record<string, 1>>;
  readonly unique?: true;
  /** Only documents that have this field. */
  readonly where?: string;
}

const { entries, revocations } = collectionNames;
/** Of the few documents whose text is to go (`delete-marks-mongo.ts`). */
export const deleteMarksIndex = 'room_delete_at';
export const revocationsIndex = 'added';
export const indexRows: readonly IndexRow[] = [
  { collection: entries, name: 'room_seq', key: { room: 1, seq: 1 }, unique: true },
  { collection: entries, name: 'room_messages', key: { room: 1, m: 1 }, where: 'm' },
  { collection: entries, name: 'room_controls', key: { room: 1, c: 1 }, where: 'c' },
  { collection: entries, name: 'room_target', key: { room: 1, target: 1, seq: 1 }, where: 'target' },
  { collection: entries, name: deleteMarksIndex, key: { room: 1, deleteAt: 1 }, where: 'deleteAt' },
  { collection: revocations, name: revocationsIndex, key: { added: 1 } },
];

export async function createIndexes(db: mongo.Db): Promise<void> {
  for (const { collection, name, key, unique, where } of indexRows) {
    await db.collection(collection).createIndex(key, {
      name,
      ...(unique && { unique }),
      ...(where !== undefined && { partialFilterExpression: { [where]: { $exists: true } } }),
    });
  }
}

/** In words, one for each index that is not as it must be; empty: all are. */
export async function indexMistakes(db: mongo.Db): Promise<readonly string[]> {
  const mistakes: string[] = [];
  for (const row of indexRows) {
    const found = (await indexesOf(db, row.collection)).find((index) => sameKey(index.key, row.key) && sameFilter(index, row));
    const words = `${row.collection} (${Object.keys(row.key).join(', ')})`;
    if (!found) mistakes.push(`${words} is missing`);
    else if (row.unique && found.unique !== true) mistakes.push(`${words} is not unique`);
  }
  return mistakes;
}

interface FoundIndex {
  readonly key: Readonly<Record<string, unknown>>;
  readonly unique?: boolean;
  readonly partialFilterExpression?: Readonly<Record<string, unknown>>;
}

const namespaceNotFound = 26;

async function indexesOf(db: mongo.Db, collection: string): Promise<readonly FoundIndex[]> {
  try {
    return (await db.collection(collection).listIndexes().toArray()) as FoundIndex[];
  } catch (error) {
    if ((error as { code?: unknown }).code === namespaceNotFound) return [];
    throw error;
  }
}

const sameKey = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);
/** An index of some documents only does not stand in for one of all. */
const sameFilter = (found: FoundIndex, { where }: IndexRow): boolean =>
  JSON.stringify(found.partialFilterExpression) === (where === undefined ? undefined : JSON.stringify({ [where]: { $exists: true } }));
