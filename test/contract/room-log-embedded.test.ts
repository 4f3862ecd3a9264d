/** The contract of RoomLog, kept by the embedded twin. */
import { afterAll, describe } from 'vitest';
import { embeddedStores } from '../support/embedded-stores.ts';
import { roomLogContract } from './room-log.contract.ts';

describe('RoomLog embedded', () => {
  const stores = embeddedStores();
  afterAll(() => stores.removeAll());
  roomLogContract(stores, 60);
});
