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
import { Latencies } from './stats.ts';

export interface TalkSetup extends LoadTarget {
  readonly rooms: number;
  readonly membersPerRoom: number;
  /** Members of each room that others connect: see LoadGuests. Default none. */
  readonly guestsPerRoom?: number;
  /** Of the usual length of a text. Default 1. */
  readonly textTimes?: number;
  /** More nodes of one cluster: the members of each room are spread over all, in turn. Default none. */
  readonly otherPorts?: readonly number[];
  /** Of the rooms' ids. Default `talk`. */
  readonly prefix?: string;
  /** Only the members on the first node talk; all read. */
  readonly onlyFirstTalks?: boolean;
}

/** As members of the room; not connected here. */
export const guestsOf = (roomIndex: number, guests: number): string[] =>
  Array.from({ length: guests }, (_, index) => `g-${roomIndex}-${index}`);
export const talkRoomOf = (index: number, prefix = 'talk'): string => `${prefix}-${index}`;

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
  /** The same, of the members on each node. */
  readonly nodes: readonly { readonly p50Ms: number; readonly p99Ms: number }[];
  /** From when a message was due to its acknowledgement. */
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly loadCpuShare: number;
  /** Not empty: the run fails. */
  readonly violations: readonly string[];
}

interface Talker extends Member {
  readonly client: LoadClient;
  readonly node: number;
  readonly roomIndex: number;
}

const connectsAtOnce = 25;
/** What is not delivered when nothing at all has come for so long is lost. */
const lostAfterMs = 30_000;

export class LoadTalk implements LoadHandlers {
  /** Each room as each node shows it: frames are compared among those who get theirs from one server. */
  readonly #rooms: LoadRoom[][] = [];
  readonly #members: Talker[] = [];
  readonly #memberOf = new Map<LoadClient, Talker>();
  readonly #random = new Random(1);
  readonly #violations: string[] = [];
  /** By node. */
  #tallies: Tally[] = [];
  #acks = new Latencies();
  #talkers: readonly Talker[] = [];
  /** Of the step that runs: when each of its messages was due is computed. */
  #step = { firstId: 1, startMs: 0, messagesPerSecond: 1 };
  #acked = 0;
  #refused: Record<string, number> = {};
  #nextId = 0;
  #textTimes = 1;

  async setup({ arm, secret, rooms, membersPerRoom, guestsPerRoom = 0, textTimes = 1, ...spread }: TalkSetup): Promise<void> {
    this.#textTimes = textTimes;
    const ports = [spread.port, ...(spread.otherPorts ?? [])];
    const idOf = (index: number): string => talkRoomOf(index, spread.prefix);
    this.#tallies = ports.map(() => newTally(this.#violations));
    for (let index = 0; index < rooms; index += 1) this.#rooms.push(ports.map(() => new LoadRoom(idOf(index))));
    const places = this.#rooms.flatMap((_room, roomIndex) =>
      Array.from({ length: membersPerRoom }, (_, index) => ({
        roomIndex,
        node: index % ports.length,
        user: `u-${idOf(roomIndex)}-${index}`,
      })),
    );
    for (let from = 0; from < places.length; from += connectsAtOnce) {
      const group = places.slice(from, from + connectsAtOnce);
      const clients = await Promise.all(group.map(({ user, node }) => connectAs(user, { arm, port: ports[node] as number, secret }, this)));
      for (const [index, client] of clients.entries()) {
        const { roomIndex, node } = group[index] as (typeof group)[number];
        const room = this.#rooms[roomIndex]?.[node] as LoadRoom;
        const member: Talker = { client, room, roomIndex, node, cursor: 0 };
        this.#memberOf.set(client, member);
        room.members.push(member);
        this.#members.push(member);
      }
    }
    for (const [index, views] of this.#rooms.entries()) {
      const id = idOf(index);
      const users = places.filter(({ roomIndex }) => roomIndex === index).map(({ user }) => user);
      const inRoom = this.#members.filter(({ roomIndex }) => roomIndex === index);
      const members = [...users.slice(1), ...guestsOf(index, guestsPerRoom)];
      if (arm === 'playhouse') await asked(inRoom[0]?.client, 'room:create', { kind: 'group', id, members });
      const heads = await Promise.all(inRoom.map(({ client }) => openRoom(arm, client, id)));
      for (const [place, head] of heads.entries()) (inRoom[place] as Talker).cursor = head;
      for (const view of views) view.headSeq = heads[0] as number;
    }
    this.#talkers = spread.onlyFirstTalks ? this.#members.filter(({ node }) => node === 0) : this.#members;
  }

  /** The seq of each room that every reader of it must reach. */
  heads(): number[] {
    return this.#rooms.map(([first]) => (first as LoadRoom).headSeq);
  }

  async step({ messagesPerSecond, durationMs }: { messagesPerSecond: number; durationMs: number }): Promise<TalkStep> {
    this.#tallies = this.#tallies.map(() => newTally(this.#violations));
    this.#acks = new Latencies();
    this.#acked = 0;
    this.#refused = {};
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    this.#step = { firstId: this.#nextId + 1, startMs, messagesPerSecond };
    const planned = Math.round((messagesPerSecond * durationMs) / 1_000);
    let sent = 0;
    while (sent < planned) {
      const due = Math.min(planned, Math.ceil(((performance.now() - startMs) * messagesPerSecond) / 1_000));
      for (; sent < due; sent += 1) this.#send();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const sentMs = performance.now();
    while (performance.now() - Math.max(sentMs, this.#lastDeliveryMs()) < lostAfterMs && this.#violations.length === 0) {
      if (this.#acked + this.#refusals() === sent && this.#deliveries() >= this.#expected()) break;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const elapsedMs = performance.now() - startMs;
    const cpu = process.cpuUsage(cpuBefore);
    const [deliveries, lastDeliveryMs, latencies] = [this.#deliveries(), this.#lastDeliveryMs(), new Latencies()];
    for (const tally of this.#tallies) latencies.addAll(tally.latencies);
    const frames = this.#tallies.reduce((sum, tally) => sum + tally.frames, 0);
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
      nodes: this.#tallies.map((tally) => ({ p50Ms: tally.latencies.percentile(0.5), p99Ms: tally.latencies.percentile(0.99) })),
      ackP50Ms: this.#acks.percentile(0.5),
      ackP99Ms: this.#acks.percentile(0.99),
      loadCpuShare: (cpu.user + cpu.system) / 1_000 / elapsedMs,
      violations: this.#violations,
    };
  }

  /** Everything acknowledged is at everybody, and nothing else is, but for commands whose answer says "outcome unknown". */
  #verify(sent: number): void {
    if (this.#acked + this.#refusals() !== sent)
      this.#violations.push(`${sent} sent, ${this.#acked} acknowledged, ${this.#refusals()} refused`);
    let unknown = (this.#refused['STORE_UNAVAILABLE'] ?? 0) + (this.#refused['INTERNAL'] ?? 0);
    for (const views of this.#rooms) {
      const [first] = views as [LoadRoom];
      const surplus = (first.members[0]?.cursor ?? 0) - first.headSeq;
      if (surplus > 0 && surplus <= unknown) {
        for (const view of views) view.headSeq += surplus;
        unknown -= surplus;
        this.#acked += surplus;
      }
      for (const view of views)
        if (view.behind() > 0) this.#violations.push(`${view.behind()} members of ${view.id} are not at ${view.headSeq}`);
    }
    if (this.#deliveries() !== this.#expected()) this.#violations.push(`${this.#deliveries()} deliveries, expected ${this.#expected()}`);
  }

  #deliveries(): number {
    return this.#tallies.reduce((sum, { deliveries }) => sum + deliveries, 0);
  }

  #lastDeliveryMs(): number {
    return Math.max(...this.#tallies.map(({ lastDeliveryMs }) => lastDeliveryMs));
  }

  #expected(): number {
    return this.#acked * (this.#members.length / this.#rooms.length);
  }

  #refusals(): number {
    return Object.values(this.#refused).reduce((sum, count) => sum + count, 0);
  }

  /** Of a message of the step that runs. */
  #dueMs(number: number): number {
    const { firstId, startMs, messagesPerSecond } = this.#step;
    return startMs + ((number - firstId) * 1_000) / messagesPerSecond;
  }

  /** Any member of any room. The id says which message and room: number * rooms + room. */
  #send(): void {
    const member = this.#random.pick(this.#talkers);
    this.#nextId += 1;
    const text = timedText(this.#nextId, this.#dueMs(this.#nextId), this.#textTimes);
    member.client.send(
      this.#nextId * this.#rooms.length + member.roomIndex,
      `["message:send",{"room":"${member.room.id}","cid":"c${this.#nextId.toString(36)}","text":"${text}"}]`,
    );
  }

  onEvent(client: LoadClient, data: Buffer, start: number, end: number): void {
    const member = this.#memberOf.get(client);
    member?.room.receive(member, data, start, end, this.#tallies[member.node] as Tally);
  }

  onAck(_client: LoadClient, id: number, data: Buffer, start: number, end: number): void {
    // [{"ok":true is told from [{"ok":false by one byte; everything else is parsed.
    if (data[start + 7] === 0x74) {
      this.#acked += 1;
      this.#acks.add(performance.now() - this.#dueMs(Math.floor(id / this.#rooms.length)));
      for (const view of this.#rooms[id % this.#rooms.length] as LoadRoom[]) view.headSeq += 1;
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
