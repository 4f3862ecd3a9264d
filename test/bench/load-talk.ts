/**
 * LoadTalk: the load of rooms whose members talk: connects them, sends at a fixed rate, whatever comes back (open loop), and counts.
 *
 * Guarantees: latency counts from when a message was due, so a load process that cannot keep up makes a step worse, never better;
 * a step ends only when everything acknowledged has arrived at every member, or when that is given up as lost.
 */
import { Random } from '../simulation/random.ts';
import type { LoadClient, LoadHandlers } from './load-client.ts';
import { LoadRoom, type Member, newTally, type Tally } from './load-room.ts';
import { asked, connectAs, type LoadTarget, openRoom } from './load-session.ts';
import { timedText } from './message-text.ts';

export interface TalkSetup extends LoadTarget {
  readonly rooms: number;
  readonly membersPerRoom: number;
  /** Members of each room that others connect: see LoadGuests. Default none. */
  readonly guestsPerRoom?: number;
  /** Of the usual length of a text. Default 1. */
  readonly textTimes?: number;
}

/** As members of the room; not connected here. */
export const guestsOf = (roomIndex: number, guests: number): string[] =>
  Array.from({ length: guests }, (_, index) => `g-${roomIndex}-${index}`);
export const talkRoomOf = (index: number): string => `talk-${index}`;

export interface TalkStep {
  readonly offeredPerSecond: number;
  readonly sent: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly deliveries: number;
  readonly expected: number;
  readonly deliveriesPerSecond: number;
  readonly entriesPerFrame: number;
  /** From the last send to the last delivery. */
  readonly drainMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly loadCpuShare: number;
  /** Not empty: the run fails. */
  readonly violations: readonly string[];
}

interface Talker extends Member {
  readonly client: LoadClient;
}

const connectsAtOnce = 25;
/** What is not delivered when nothing at all has come for so long is lost. */
const lostAfterMs = 30_000;

export class LoadTalk implements LoadHandlers {
  readonly #rooms: LoadRoom[] = [];
  readonly #members: Talker[] = [];
  readonly #memberOf = new Map<LoadClient, Talker>();
  readonly #random = new Random(1);
  readonly #violations: string[] = [];
  #tally: Tally = newTally(this.#violations);
  #acked = 0;
  #refused: Record<string, number> = {};
  #nextId = 0;
  #textTimes = 1;

  async setup({ arm, port, secret, rooms, membersPerRoom, guestsPerRoom = 0, textTimes = 1 }: TalkSetup): Promise<void> {
    this.#textTimes = textTimes;
    for (let index = 0; index < rooms; index += 1) this.#rooms.push(new LoadRoom(talkRoomOf(index)));
    const places = this.#rooms.flatMap((room) =>
      Array.from({ length: membersPerRoom }, (_, index) => ({ room, user: `u-${room.id}-${index}` })),
    );
    for (let from = 0; from < places.length; from += connectsAtOnce) {
      const group = places.slice(from, from + connectsAtOnce);
      const clients = await Promise.all(group.map(({ user }) => connectAs(user, { arm, port, secret }, this)));
      for (const [index, client] of clients.entries()) {
        const { room } = group[index] as (typeof group)[number];
        const member: Talker = { client, room, cursor: 0 };
        this.#memberOf.set(client, member);
        room.members.push(member);
        this.#members.push(member);
      }
    }
    for (const [index, room] of this.#rooms.entries()) {
      const users = places.filter((place) => place.room === room).map(({ user }) => user);
      const talkers = this.#members.filter((member) => member.room === room);
      const members = [...users.slice(1), ...guestsOf(index, guestsPerRoom)];
      if (arm === 'playhouse') await asked(talkers[0]?.client, 'room:create', { kind: 'group', id: room.id, members });
      const heads = await Promise.all(talkers.map(({ client }) => openRoom(arm, client, room.id)));
      for (const [place, head] of heads.entries()) (talkers[place] as Talker).cursor = head;
      room.headSeq = heads[0] as number;
    }
  }

  /** The seq of each room that every reader of it must reach. */
  heads(): number[] {
    return this.#rooms.map(({ headSeq }) => headSeq);
  }

  async step({ messagesPerSecond, durationMs }: { messagesPerSecond: number; durationMs: number }): Promise<TalkStep> {
    this.#tally = newTally(this.#violations);
    this.#acked = 0;
    this.#refused = {};
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    const planned = Math.round((messagesPerSecond * durationMs) / 1_000);
    let sent = 0;
    while (sent < planned) {
      const due = Math.min(planned, Math.ceil(((performance.now() - startMs) * messagesPerSecond) / 1_000));
      for (; sent < due; sent += 1) this.#send(startMs + (sent * 1_000) / messagesPerSecond);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const sentMs = performance.now();
    while (performance.now() - Math.max(sentMs, this.#tally.lastDeliveryMs) < lostAfterMs && this.#violations.length === 0) {
      if (this.#acked + this.#refusals() === sent && this.#tally.deliveries >= this.#expected()) break;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const elapsedMs = performance.now() - startMs;
    const cpu = process.cpuUsage(cpuBefore);
    const { deliveries, frames, lastDeliveryMs, latencies } = this.#tally;
    this.#verify(sent);
    return {
      offeredPerSecond: messagesPerSecond * (this.#members.length / this.#rooms.length),
      sent,
      refused: this.#refused,
      deliveries,
      expected: this.#expected(),
      deliveriesPerSecond: (deliveries * 1_000) / Math.max(durationMs, lastDeliveryMs - startMs),
      entriesPerFrame: deliveries / Math.max(1, frames),
      drainMs: Math.max(0, lastDeliveryMs - sentMs),
      p50Ms: latencies.percentile(0.5),
      p99Ms: latencies.percentile(0.99),
      loadCpuShare: (cpu.user + cpu.system) / 1_000 / elapsedMs,
      violations: this.#violations,
    };
  }

  /** Everything acknowledged is at everybody, and nothing else is, but for commands whose answer says "outcome unknown". */
  #verify(sent: number): void {
    if (this.#acked + this.#refusals() !== sent)
      this.#violations.push(`${sent} sent, ${this.#acked} acknowledged, ${this.#refusals()} refused`);
    let unknown = (this.#refused['STORE_UNAVAILABLE'] ?? 0) + (this.#refused['INTERNAL'] ?? 0);
    for (const room of this.#rooms) {
      const surplus = (room.members[0]?.cursor ?? 0) - room.headSeq;
      if (surplus > 0 && surplus <= unknown) {
        room.headSeq += surplus;
        unknown -= surplus;
        this.#acked += surplus;
      }
      if (room.behind() > 0) this.#violations.push(`${room.behind()} members of ${room.id} are not at ${room.headSeq}`);
    }
    if (this.#tally.deliveries !== this.#expected())
      this.#violations.push(`${this.#tally.deliveries} deliveries, expected ${this.#expected()}`);
  }

  #expected(): number {
    return this.#acked * (this.#members.length / this.#rooms.length);
  }

  #refusals(): number {
    return Object.values(this.#refused).reduce((sum, count) => sum + count, 0);
  }

  /** Any member of any room. The id says which room: id % rooms. */
  #send(dueMs: number): void {
    const member = this.#random.pick(this.#members);
    const roomIndex = this.#rooms.indexOf(member.room);
    this.#nextId += 1;
    const text = timedText(this.#nextId, dueMs, this.#textTimes);
    member.client.send(
      this.#nextId * this.#rooms.length + roomIndex,
      `["message:send",{"room":"${member.room.id}","cid":"c${this.#nextId.toString(36)}","text":"${text}"}]`,
    );
  }

  onEvent(client: LoadClient, data: Buffer, start: number, end: number): void {
    const member = this.#memberOf.get(client);
    member?.room.receive(member, data, start, end, this.#tally);
  }

  onAck(_client: LoadClient, id: number, data: Buffer, start: number, end: number): void {
    // [{"ok":true is told from [{"ok":false by one byte; everything else is parsed.
    if (data[start + 7] === 0x74) {
      this.#acked += 1;
      (this.#rooms[id % this.#rooms.length] as LoadRoom).headSeq += 1;
      return;
    }
    const [answer] = JSON.parse(data.toString('utf8', start, end)) as [{ error?: { code?: string } }];
    const code = answer.error?.code ?? 'no code';
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  onClose(_client: LoadClient, why: string): void {
    this.#violations.push(`a connection ended: ${why}`);
  }
}
