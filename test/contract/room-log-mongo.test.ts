/** The contract of RoomLog, kept by the MongoDB twin on a real server. */
import { afterAll, describe } from 'vitest';
import { mongoStores } from '../support/mongo-stores.ts';
import { roomLogContract } from './room-log.contract.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'];

describe.skipIf(url === undefined)('RoomLog on MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const stores = mongoStores(url ?? '');
  afterAll(() => stores.dropAll(), 60_000);
  roomLogContract(stores, 15);
});
