/**
 * StoreReader: the logs as they stand in MongoDB, read by the driver alone, past everything of ours.
 */
import mongoose from 'mongoose';
import type { WireLike } from './crowd.ts';

/** Every room whose id begins so, each in order of seq, read with majority concern. */
export async function readRooms(url: string, database: string, prefix: string): Promise<Map<string, WireLike[]>> {
  const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 10_000 });
  try {
    await client.connect();
    const rooms = new Map<string, WireLike[]>();
    const cursor = client
      .db(database)
      .collection('entries', { readConcern: { level: 'majority' }, readPreference: 'primary' })
      .find({ room: { $gte: prefix, $lt: `${prefix}\uffff` } })
      .sort({ room: 1, seq: 1 });
    for await (const document of cursor) {
      const { room, seq, kind, by, cid, text } = document as unknown as WireLike & { readonly room: string };
      const entries = rooms.get(room) ?? [];
      rooms.set(room, entries);
      entries.push({ seq, kind, by, cid, text });
    }
    return rooms;
  } finally {
    await client.close();
  }
}
