/**
 * AppendDrive: the load shape of every arm of the append benchmark that runs inside one process: `senders` messages in flight over
 * `rooms` rooms, each sender's next one when its last is durable.
 */
import type { RoomLog } from '../../system/store/room-log.ts';
import { createEntry, roomOf, userOf } from './sample-entries.ts';

export interface DriveRequest {
  readonly dir: string;
  readonly rooms: number;
  readonly senders: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}
export interface AppendRun {
  readonly perSecond: number;
  readonly acked: number;
  /** Messages found in the store afterwards; other than `acked`: the run fails. */
  readonly stored: number;
  /** Of the server's process, all its threads. Moves less than the rate when others use the machine. */
  readonly cpuMicrosPerMessage?: number | undefined;
  readonly loadCpuShare?: number;
}

/** Sends message `index` of `sender`; calls back when it is durable. */
export type Send = (sender: number, index: number, done: () => void) => void;

export async function drive({ senders, warmUpMs, durationMs }: DriveRequest, send: Send): Promise<Omit<AppendRun, 'stored'>> {
  let [sent, acked, isRunning] = [0, 0, true];
  let begunMissing = senders;
  let allBegun = (): void => {};
  const begun = new Promise<void>((resolve) => {
    allBegun = resolve;
  });
  const next = (sender: number): void => {
    sent += 1;
    const index = sent;
    send(sender, index, () => {
      acked += 1;
      if (index <= senders) begunMissing -= 1;
      if (begunMissing === 0) allBegun();
      if (isRunning) next(sender);
    });
  };
  for (let sender = 0; sender < senders; sender += 1) next(sender);
  // Rooms wake with their first message; how long that takes is not what is measured here.
  await begun;
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const cpuBefore = process.cpuUsage();
  const [startMs, ackedBefore] = [performance.now(), acked];
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  const [counted, elapsedMs, cpu] = [acked - ackedBefore, performance.now() - startMs, process.cpuUsage(cpuBefore)];
  isRunning = false;
  while (acked < sent) await new Promise((resolve) => setTimeout(resolve, 5));
  return { perSecond: (counted * 1_000) / elapsedMs, cpuMicrosPerMessage: (cpu.user + cpu.system) / counted, acked };
}

export async function createRooms(log: RoomLog, { rooms, senders }: DriveRequest): Promise<string[]> {
  const ids = Array.from({ length: rooms }, (_, room) => roomOf(room));
  for (const [room, id] of ids.entries()) {
    const members = Array.from({ length: Math.ceil((senders - room) / rooms) }, (_, place) => userOf(room + place * rooms));
    await log.append(id, 0, [createEntry(members)]);
  }
  return ids;
}

export async function messagesIn(log: RoomLog, { rooms }: DriveRequest): Promise<number> {
  const heads = await log.heads(Array.from({ length: rooms }, (_, room) => roomOf(room)));
  return heads.reduce((sum, { n }) => sum + n, 0);
}
