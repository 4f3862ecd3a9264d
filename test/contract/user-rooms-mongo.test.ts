/** The contract of UserRooms, kept by the MongoDB twin on a real server. */
import { afterAll, describe } from 'vitest';
import { mongoStores } from '../support/mongo-stores.ts';
import { userRoomsContract } from './user-rooms.contract.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'];

describe.skipIf(url === undefined)('UserRooms on MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const stores = mongoStores(url ?? '');
  afterAll(() => stores.dropAll(), 60_000);
  userRoomsContract(stores);
});
