/**
 * Verdict: what a replayed room must look like, against what its log and its people's screens show. Pure.
 *
 * Guarantees: one lost, doubled, swapped, altered or invented entry, in the log or on any screen, is a violation; so is an
 * acknowledgement that the log does not bear out. Nothing is taken from the client library's own checks.
 */
import type { WireEntry } from '../../gateway/client-protocol.ts';

/** What a person did in the room, in order. */
export type Deed = { readonly type: 'create' | 'join' | 'leave' } | SendDeed;
export interface SendDeed {
  readonly type: 'send';
  readonly cid: string;
  readonly text: string;
  readonly replyTo?: number;
  /** The highest seq anybody knew of when it was sent: its own must be higher. */
  readonly knownSeq: number;
  /** Of the acknowledgement. */
  seq?: number;
  /** Refused for good. */
  failure?: string;
}

/** One membership as its screen showed it, over any number of connections. */
export interface Stay {
  /** What the person's first opening asked from. */
  readonly since: number;
  readonly seqs: number[];
  readonly digests: number[];
  /** The server's word `snapshot`: before the entry at `index`, everything up to `upTo` was skipped. */
  readonly jumps: { readonly index: number; readonly upTo: number }[];
  /** denied: the connection was lost while leaving, and the way back was closed: the leaving itself was not seen. */
  end: 'open' | 'left' | 'denied';
}
export interface PersonRecord {
  readonly user: string;
  readonly deeds: readonly Deed[];
  readonly stays: readonly Stay[];
  /** Connected when the log was read: must have seen everything. */
  readonly isConnected: boolean;
  /** What the client library reported. */
  readonly complaints: readonly string[];
}
export interface RoomRecord {
  readonly room: string;
  readonly log: readonly WireEntry[];
  /** false: only messages could be read back, not every entry. */
  readonly isRaw: boolean;
  readonly people: readonly PersonRecord[];
  /** People who join to read the log, and do nothing else. */
  readonly readers: readonly string[];
}

export interface Violation {
  readonly room: string;
  readonly seq?: number;
  readonly user?: string;
  readonly what: string;
}
export interface RoomVerdict {
  readonly violations: readonly Violation[];
  readonly entries: number;
  readonly acked: number;
  readonly seen: number;
  readonly jumps: number;
}

type Report = (what: string, at?: { readonly seq?: number | undefined; readonly user?: string }) => void;
type Log = ReadonlyMap<number, WireEntry>;

/** A fingerprint of everything a client may show of an entry. Does not depend on the order of keys. */
export function digestOf(entry: WireEntry): number {
  const { seq, n, kind, by, name, at, cid, text, replyTo, target, emoji, on, member, room } = entry;
  const facts = room && [room.kind, room.name, room.public, room.community, room.members.map(({ user, role }) => [user, role])];
  const change = member && [member.user, member.change, member.role];
  return hash53(JSON.stringify([seq, n, kind, by, name, at, cid, text, replyTo, target, emoji, on, change, facts]));
}

/** cyrb53: 53 bits, so that a fingerprint fits a number. Against chance, not against an attacker. */
function hash53(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2_654_435_761);
    low = Math.imul(low ^ unit, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & low) + (high >>> 0);
}

export function judgeRoom(record: RoomRecord): RoomVerdict {
  const violations: Violation[] = [];
  const report: Report = (what, { seq, user } = {}) => {
    violations.push({ room: record.room, what, ...(seq !== undefined && { seq }), ...(user !== undefined && { user }) });
  };
  const log = judgeLog(record, report);
  const byUser = groupByUser(record.log);
  for (const person of record.people) {
    for (const complaint of person.complaints) report(complaint, { user: person.user });
    judgeDeeds(person, byUser.get(person.user) ?? [], log, record.isRaw, report);
    judgeStays(person, log, record, report);
  }
  judgeStrangers(record, report);
  const stays = record.people.flatMap((person) => person.stays);
  const count = (of: (stay: Stay) => number) => stays.reduce((sum, stay) => sum + of(stay), 0);
  const acked = record.people.flatMap((person) => person.deeds).filter((deed) => deed.type === 'send' && deed.seq !== undefined).length;
  return {
    violations,
    entries: record.log.length,
    acked,
    seen: count((stay) => stay.seqs.length),
    jumps: count((stay) => stay.jumps.length),
  };
}

function groupByUser(log: readonly WireEntry[]): ReadonlyMap<string, readonly WireEntry[]> {
  const groups = new Map<string, WireEntry[]>();
  for (const entry of log) {
    const group = groups.get(entry.by);
    if (group) group.push(entry);
    else groups.set(entry.by, [entry]);
  }
  return groups;
}

/** The log by itself: 1, 2, 3 … without holes, each id once, the count of messages right. */
function judgeLog({ log, isRaw }: RoomRecord, report: Report): Log {
  const bySeq = new Map<number, WireEntry>();
  const ids = new Map<string, number>();
  let messages = 0;
  let expected = isRaw ? 1 : (log[0]?.seq ?? 1);
  for (const entry of log) {
    const { seq, by, cid } = entry;
    const isInOrder = isRaw ? seq === expected : seq >= expected;
    if (!isInOrder) report(`the log has #${seq} where #${expected} belongs`, { seq });
    expected = seq + 1;
    if (bySeq.has(seq)) report('the log has this number twice', { seq });
    bySeq.set(seq, entry);
    const first = ids.get(`${by}\n${cid}`);
    if (first !== undefined) report(`doubled in the log: the same id is at #${first}`, { seq, user: by });
    ids.set(`${by}\n${cid}`, seq);
    if (entry.kind === 'message' || entry.kind === 'reply') messages += 1;
    if (entry.n !== messages) report(`counts ${entry.n} messages, there are ${messages}`, { seq });
  }
  return bySeq;
}

function judgeDeeds({ user, deeds }: PersonRecord, written: readonly WireEntry[], log: Log, isRaw: boolean, report: Report): void {
  const sends = deeds.filter((deed) => deed.type === 'send');
  for (const deed of sends) judgeSend(user, deed, log, report);
  const isPossible = new Set(sends.filter((deed) => deed.failure === undefined).map((deed) => deed.cid));
  const isMessage = (entry: WireEntry) => entry.kind === 'message' || entry.kind === 'reply';
  for (const entry of written) {
    if (isMessage(entry) && !isPossible.has(entry.cid)) report('in the log, but never sent', { seq: entry.seq, user });
  }
  // Everything the person did, in their order: the log must show the same. What was never acknowledged may be missing.
  const isStored = new Set(written.map((entry) => entry.cid));
  const done = deeds.filter((deed) => (deed.type === 'send' ? isStored.has(deed.cid) || (deed.seq !== undefined && !deed.failure) : isRaw));
  const should = done.map((deed) => (deed.type === 'send' ? deed.cid : deed.type));
  const is = written.filter((entry) => isRaw || isMessage(entry)).map(tokenOf);
  const wrong = should.findIndex((token, index) => token !== is[index]);
  if (wrong === -1 && should.length === is.length) return;
  const index = wrong === -1 ? should.length : wrong;
  report(`the sender's order is not kept: step ${index + 1} is ${is[index] ?? 'missing'}, not ${should[index] ?? 'nothing'}`, {
    seq: written[index]?.seq,
    user,
  });
}

function judgeSend(user: string, deed: SendDeed, log: Log, report: Report): void {
  const { seq, cid, text, replyTo, knownSeq, failure } = deed;
  if (failure !== undefined) return report(`a message was refused: ${failure}`, { user });
  if (seq === undefined) return report(`a message was never acknowledged (cid ${cid})`, { user });
  const entry = log.get(seq);
  if (!entry || entry.cid !== cid || entry.by !== user)
    return report('lost: acknowledged, but not in the log at its number', { seq, user });
  if (entry.text !== text) report('altered: the log has another text than was sent', { seq, user });
  if (entry.replyTo !== replyTo || entry.kind !== (replyTo === undefined ? 'message' : 'reply')) {
    report(`altered: answers #${entry.replyTo ?? 'none'}, not #${replyTo ?? 'none'}`, { seq, user });
  }
  if (seq <= knownSeq) report(`out of time: #${knownSeq} was known when it was sent`, { seq, user });
}

function tokenOf(entry: WireEntry): string {
  if (entry.kind === 'room') return 'create';
  if (entry.kind === 'member') return entry.member?.change === 'joined' ? 'join' : entry.member?.change === 'left' ? 'leave' : 'other';
  return entry.cid;
}

function judgeStays({ user, stays, isConnected }: PersonRecord, log: Log, { log: entries, isRaw }: RoomRecord, report: Report): void {
  const arrivals = entries
    .filter((entry) => entry.kind === 'room' || entry.member?.change === 'joined')
    .filter((entry) => entry.by === user);
  for (const [number, stay] of stays.entries()) {
    const end = judgeScreen(user, stay, log, isRaw, report);
    const arrival = arrivals[number];
    if (arrival && arrival.seq <= stay.since)
      report(`the screen began at #${stay.since + 1}, after the arrival`, { seq: arrival.seq, user });
    const last = log.get(end);
    const sawLeaving = last?.member?.change === 'left' && last.member.user === user;
    if (stay.end === 'left' && isRaw && !sawLeaving) report(`the screen ended at #${end}, before the leaving`, { seq: end, user });
    const head = entries.at(-1)?.seq ?? 0;
    if (stay.end === 'open' && isConnected && end !== head)
      report(`the screen ends at #${end}, the log at #${head}`, { seq: end + 1, user });
  }
}

/** What one screen showed: each entry once, in order, as it is in the log. Answers the last seq accounted for. */
function judgeScreen(user: string, { since, seqs, digests, jumps }: Stay, log: Log, isRaw: boolean, report: Report): number {
  let expected = since + 1;
  let nextJump = 0;
  const jumpsAt = (index: number): void => {
    for (; jumps[nextJump]?.index === index; nextJump += 1) expected = (jumps[nextJump]?.upTo ?? 0) + 1;
  };
  for (const [index, seq] of seqs.entries()) {
    jumpsAt(index);
    if (seq > expected) report(`lost on the screen: #${expected} to #${seq - 1}`, { seq: expected, user });
    if (seq < expected) report('on the screen twice, or out of order', { seq, user });
    expected = Math.max(expected, seq + 1);
    const entry = log.get(seq);
    if (!entry) {
      if (isRaw) report('on the screen, but not in the log', { seq, user });
    } else if (isRaw && digestOf(entry) !== digests[index]) report('altered: the screen shows another entry than the log', { seq, user });
  }
  jumpsAt(seqs.length);
  return expected - 1;
}

function judgeStrangers({ log, people, readers }: RoomRecord, report: Report): void {
  const known = new Set(people.map((person) => person.user));
  const reading = new Set(readers);
  for (const entry of log) {
    if (known.has(entry.by)) continue;
    if (!reading.has(entry.by) || entry.kind !== 'member')
      report('in the log, by somebody who sent nothing', { seq: entry.seq, user: entry.by });
  }
}
