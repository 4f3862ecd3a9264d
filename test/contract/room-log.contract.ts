/**
 * The contract of RoomLog as tests: one suite for every twin.
 */
import type { StoreFactory } from '../support/store-stories.ts';
import { roomLogAppendContract } from './room-log-append.contract.ts';
import { roomLogLifeContract } from './room-log-life.contract.ts';
import { roomLogModelContract } from './room-log-model.contract.ts';
import { roomLogReadContract } from './room-log-read.contract.ts';

/** `modelRuns`: how many random stories are compared with the model. */
export function roomLogContract(factory: StoreFactory, modelRuns: number): void {
  roomLogAppendContract(factory);
  roomLogReadContract(factory);
  roomLogLifeContract(factory);
  roomLogModelContract(factory, modelRuns);
}
