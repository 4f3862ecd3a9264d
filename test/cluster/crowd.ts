/**
 * Crowd: people on every node of a cluster who talk in shared rooms, with a record of all they sent, were told and saw.
 *
 * Guarantees: one clock for everything; every member sees every entry of its rooms or the verdict says which not. Members come back by
 * the client library, to the next node. Does not: know how the nodes do it.
 */
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';
import { waitUntil } from '../support/store-processes.ts';

export interface CrowdOptions {
  readonly urls: readonly string[];
  readonly tokenOf: (user: string) => string;
  readonly rooms: number;
  /** Members of every room on every node. */
  readonly perNode: number;
  readonly name?: string;
  /** Each so many messages their author takes one back, once it is acknowledged. */
  readonly deletesEach?: number;
}

interface Seen {
  readonly entry: WireEntry;
  readonly atMs: number;
}

export interface Ack {
  readonly room: string;
  readonly seq: number;
  readonly text: string;
  readonly by: Member;
  readonly sentMs: number;
  readonly ackedMs: number;
}

class Member {
  readonly client = new ChatClient();
  readonly user: string;
  /** The node it began on. */
  readonly node: number;
  readonly seen = new Map<string, Seen[]>();
  readonly complaints: string[] = [];
  /** Where it is, or was last. */
  url = '';
  lostMs: number | undefined;
  readonly lossesMs: number[] = [];
  /** Ways back, each from the loss to the moment all open rooms were live again. */
  readonly waysBackMs: number[] = [];

  constructor(user: string, node: number) {
    this.user = user;
    this.node = node;
    this.client.on('entries', ({ room, entries }) => {
      const atMs = performance.now();
      const seen = this.seen.get(room) ?? [];
      this.seen.set(room, seen);
      for (const entry of entries) seen.push({ entry, atMs });
    });
    this.client.on('violation', (violation) => this.complaints.push(`${user}: ${JSON.stringify(violation)}`));
    this.client.on('state', ({ state, url }) => {
      if (state === 'online' && url !== undefined) this.url = url;
      if (state === 'offline' && this.lostMs === undefined) {
        this.lostMs = performance.now();
        this.lossesMs.push(this.lostMs);
      }
      if (state !== 'online' || this.lostMs === undefined) return;
      const lostMs = this.lostMs;
      this.lostMs = undefined;
      this.waysBackMs.push(performance.now() - lostMs);
    });
  }
}

export class Crowd {
  readonly members: readonly Member[];
  readonly rooms: readonly string[];
  readonly acks: Ack[] = [];
  readonly failures: string[] = [];
  /** `room seq` of what was taken back and acknowledged as that. */
  readonly deleted = new Set<string>();
  private readonly heads = new Map<string, number>();
  private readonly options: CrowdOptions;
  private readonly sentMs = new Map<string, number>();
  private underWay = 0;
  private next = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: CrowdOptions) {
    this.options = options;
    const name = options.name ?? 'crowd';
    this.rooms = Array.from({ length: options.rooms }, (_, index) => `${name}-room-${index}`);
    this.members = options.urls.flatMap((_, node) =>
      Array.from({ length: options.perNode }, (_each, index) => new Member(`${name}-${node}-${index}`, node)),
    );
  }

  /** Everybody connects to their node and opens every room. */
  async gather(): Promise<void> {
    const { urls, tokenOf } = this.options;
    await Promise.all(
      this.members.map(({ client, user, node }, index) => {
        const others = [...urls.slice(node + 1), ...urls.slice(0, node)];
        // People of one node part when it dies.
        const url = [urls[node] as string, ...(index % 2 === 0 ? others : others.reverse())];
        return client.connect({ url, token: async () => tokenOf(user) });
      }),
    );
    const [first, ...others] = this.members as [Member, ...Member[]];
    for (const room of this.rooms) {
      await first.client.createRoom({ kind: 'group', id: room, public: true });
      await first.client.open(room, { since: 0 });
      await Promise.all(
        others.map(async ({ client }) => {
          await client.join(room);
          await client.open(room, { since: 0 });
        }),
      );
    }
  }

  /** `texts`: what is said, in turn; without it, numbers. Sends `rate` messages a second, over members and rooms in turn, until `quiet`. */
  talk(rate: number, texts: readonly string[] = []): void {
    const startMs = performance.now();
    let sent = 0;
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * rate);
      for (; sent < due; sent += 1) this.say(texts);
    }, 5);
  }

  private say(texts: readonly string[]): void {
    const number = this.next;
    this.next += 1;
    const member = this.members[number % this.members.length] as Member;
    // Rooms move on one further each round, so that everybody talks in every room.
    const room = this.rooms[(number + Math.floor(number / this.members.length)) % this.rooms.length] as string;
    const text = `${number} ${texts[number % Math.max(1, texts.length)] ?? ''}`.trimEnd();
    const sentMs = performance.now();
    this.sentMs.set(text, sentMs);
    this.underWay += 1;
    const { deletesEach = Number.POSITIVE_INFINITY } = this.options;
    this.saidOrNot(member, async () => {
      const { seq } = await member.client.send(room, text);
      this.acks.push({ room, seq, text, by: member, sentMs, ackedMs: performance.now() });
      this.grew(room, seq);
      if (number % deletesEach !== 1) return;
      this.grew(room, (await member.client.delete(room, seq)).seq);
      this.deleted.add(`${room} ${seq}`);
    });
  }

  private saidOrNot(member: Member, say: () => Promise<void>): void {
    const ended = (): void => {
      this.underWay -= 1;
    };
    say().then(ended, (error: unknown) => {
      ended();
      this.failures.push(`${member.user}: ${String(error)}`);
    });
  }

  private grew(room: string, seq: number): void {
    this.heads.set(room, Math.max(seq, this.heads.get(room) ?? 0));
  }

  get sent(): number {
    return this.next;
  }

  /** Nobody says anything more; resolves when all was answered and everybody has seen everything. */
  async quiet(withinMs = 60_000): Promise<void> {
    clearInterval(this.timer);
    await waitUntil(
      'everything sent is answered',
      () => this.underWay === 0,
      withinMs,
      () => `${this.underWay} left`,
    );
    const behind = (): string[] =>
      this.members.flatMap(({ user, seen }) =>
        [...this.heads]
          .filter(([room, head]) => (seen.get(room)?.at(-1)?.entry.seq ?? 0) < head)
          .map(([room, head]) => `${user} in ${room}: ${seen.get(room)?.at(-1)?.entry.seq} of ${head}`),
      );
    await waitUntil(
      'everybody has seen everything',
      () => behind().length === 0,
      withinMs,
      () => behind().slice(0, 5).join('; '),
    );
  }

  /** What broke a promise; empty: nothing. `log`: rooms as an independent reader found them. */
  violations(log: ReadonlyMap<string, readonly WireLike[]>): string[] {
    const broken = [...this.failures, ...this.members.flatMap(({ complaints }) => complaints)];
    for (const [room, entries] of log) {
      for (const [index, entry] of entries.entries())
        if (entry.seq !== index + 1) broken.push(`${room}: #${entry.seq} stands where #${index + 1} belongs`);
      const cids = new Set(entries.map(({ by, cid }) => `${by} ${cid}`));
      if (cids.size !== entries.length) broken.push(`${room}: ${entries.length - cids.size} entries twice`);
    }
    const isDeleted = (room: string, seq: number): boolean => this.deleted.has(`${room} ${seq}`);
    for (const { room, seq, text } of this.acks)
      if (log.get(room)?.[seq - 1]?.text !== (isDeleted(room, seq) ? undefined : text))
        broken.push(`${room}: #${seq} is not there as it was acknowledged`);
    const stored = [...log.values()].flat().filter(({ kind }) => kind === 'message').length;
    if (stored !== this.acks.length) broken.push(`${stored} messages stored, ${this.acks.length} acknowledged`);
    for (const member of this.members) broken.push(...screenFaults(member, log, isDeleted));
    return broken;
  }

  /** From sending to the ack, and to each other member's screen. Milliseconds. */
  figures(): Figures {
    const acks = this.acks.map(({ sentMs, ackedMs }) => ackedMs - sentMs);
    const delivered: number[] = [];
    for (const { seen } of this.members)
      for (const each of seen.values())
        for (const { entry, atMs } of each) {
          const sentMs = this.sentMs.get(entry.text ?? '');
          if (sentMs !== undefined) delivered.push(atMs - sentMs);
        }
    return { ack: percentiles(acks), delivery: percentiles(delivered), deliveries: delivered.length };
  }

  /** The longest time without an ack for anybody whom nothing was done to between two times. */
  longestAckGapMs(fromMs: number, untilMs: number): number {
    const isUntouched = ({ lossesMs }: Member): boolean => !lossesMs.some((at) => at >= fromMs && at <= untilMs);
    const times = this.acks.filter(({ by }) => isUntouched(by)).map(({ ackedMs }) => ackedMs);
    const within = [fromMs, ...times.filter((at) => at > fromMs && at < untilMs).sort((a, b) => a - b), untilMs];
    return Math.max(...within.slice(1).map((at, index) => at - (within[index] as number)));
  }

  /** How many are connected to each node. */
  peopleOn(url: string): number {
    return this.members.filter((member) => member.url === url && member.client.isOnline).length;
  }

  end(): void {
    clearInterval(this.timer);
    for (const { client } of this.members) client.end();
  }
}

export interface WireLike {
  readonly seq: number;
  readonly kind: string;
  readonly by: string;
  readonly cid: string;
  readonly text?: string | undefined;
}

export interface Figures {
  readonly ack: Percentiles;
  readonly delivery: Percentiles;
  readonly deliveries: number;
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Each entry once, in order, as it is in the log, from the first one seen to the last. */
function screenFaults(
  { user, seen }: Member,
  log: ReadonlyMap<string, readonly WireLike[]>,
  isDeleted: (room: string, seq: number) => boolean,
): string[] {
  const faults: string[] = [];
  for (const [room, entries] of log) {
    const own = seen.get(room) ?? [];
    const [first] = own;
    for (const [index, { entry }] of own.entries()) {
      const expected = (first?.entry.seq ?? 0) + index;
      if (entry.seq !== expected) faults.push(`${user} in ${room}: saw #${entry.seq} where #${expected} belongs`);
      if (!isDeleted(room, entry.seq) && entry.text !== log.get(room)?.[entry.seq - 1]?.text)
        faults.push(`${user} in ${room}: #${entry.seq} is another one on the screen`);
    }
    if (own.at(-1)?.entry.seq !== entries.length)
      faults.push(`${user} in ${room}: saw up to #${own.at(-1)?.entry.seq} of ${entries.length}`);
  }
  return faults;
}
