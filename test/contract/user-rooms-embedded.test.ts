/** The contract of UserRooms, kept by the embedded twin. */
import { afterAll, describe } from 'vitest';
import { embeddedStores } from '../support/embedded-stores.ts';
import { userRoomsContract } from './user-rooms.contract.ts';

describe('UserRooms embedded', () => {
  const stores = embeddedStores();
  afterAll(() => stores.removeAll());
  userRoomsContract(stores);
});
