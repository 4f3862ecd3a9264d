/**
 * FinalCheck: what can be judged only when everything is settled: the whole log, against everything that was recorded.
 */
import type { RoomWrite } from '../../actors/room-fold.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { Authority } from './authority.ts';
import type { Checker, SendRecord } from './checker.ts';
import type { StoreModel } from './store-model.ts';
import { Violation } from './world.ts';

export function checkLog(room: RoomId, store: StoreModel, checker: Checker): void {
  const log = store.log(room);
  const entries = log.committed().sort((a, b) => a.seq - b.seq);
  const fail = (invariant: string, detail: string): never => {
    throw new Violation(invariant, room, detail);
  };
  for (const [index, entry] of entries.entries())
    if (entry.seq !== index + 1) fail('I2 hole-free', `entry ${index + 1} of the log has seq ${entry.seq}`);

  const sends = new Map(checker.sends.filter((send) => send.room === room).map((send) => [`${send.command.by}/${send.command.cid}`, send]));
  const seen = new Set<string>();
  const authority = new Authority();
  let messages = 0;
  for (const entry of entries) {
    const id = `${entry.by}/${entry.cid}`;
    if (seen.has(id)) fail('I3 unique', `${id} is in the log twice`);
    seen.add(id);
    if (entry.kind === 'message' || entry.kind === 'reply') messages += 1;
    if (entry.n !== messages) fail('I6 agreement', `entry ${entry.seq} says n ${entry.n}, ${messages} messages are in`);
    if (!entry.room) {
      const send = sends.get(id);
      if (!send) fail('I4 no phantom', `entry ${entry.seq} ${id} was never sent`);
      else {
        matches(send, entry, fail);
        const objection = authority.objection(entry.by, send.command.write);
        if (objection) fail('I11 authority', `entry ${entry.seq} ${id}: the author ${objection}`);
        // Two attempts may be judged at two heads; then the refusal of one must have been right at its own.
        const isExcused = send.attempts > 1 && checker.isRefusable(send, entry.seq - 1);
        if (send.refused && !isExcused) fail('I4 no phantom', `entry ${entry.seq} ${id} was refused with ${send.refused}`);
      }
    }
    authority.apply(entry);
  }
  for (const send of sends.values()) {
    if (send.ackedSeq === undefined) continue;
    const stored = log.at(send.ackedSeq);
    if (stored?.cid !== send.command.cid || stored.by !== send.command.by)
      fail('I1 durable', `${send.witness.name} ${send.command.cid} acknowledged as ${send.ackedSeq} is not there`);
  }
  checkRealTime([...sends.values()], fail);
  checkMembership(room, entries, checker);
}

function matches(send: SendRecord, entry: Entry, fail: (invariant: string, detail: string) => never): void {
  const { write } = send.command;
  const kindOf: Record<RoomWrite['type'], string> = {
    create: 'room',
    join: 'member',
    leave: 'member',
    invite: 'member',
    kick: 'member',
    send: 'replyTo' in write ? 'reply' : 'message',
    file: 'file',
    modify: 'modify',
    delete: 'delete',
    react: 'react',
  };
  const isSame =
    entry.kind === kindOf[write.type] &&
    (!('text' in write) || entry.scrubbed === true || entry.text === write.text) &&
    (!('target' in write) || entry.target === write.target) &&
    (!('replyTo' in write) || entry.replyTo === write.replyTo) &&
    (!('user' in write) || entry.member?.user === write.user) &&
    (!('on' in write) || (entry.on === write.on && entry.emoji === write.emoji));
  if (!isSame) fail('I4 no phantom', `entry ${entry.seq} is not what ${send.witness.name} ${send.command.cid} asked for`);
}

/** I8: acknowledged before another was invoked, so lower. I9: of one client, where both went once, by one connection to one actor. */
function checkRealTime(sends: readonly SendRecord[], fail: (invariant: string, detail: string) => never): void {
  const acked = sends.filter((send) => send.ackedSeq !== undefined);
  for (const a of acked) {
    for (const b of acked) {
      const isOneWay = a.connection === b.connection && a.ackedFrom === b.ackedFrom && a.attempts === 1 && b.attempts === 1;
      const isAhead = isOneWay && a.invokedMs < b.invokedMs;
      const isBefore = a.ackedMs < b.invokedMs || (a.witness === b.witness && isAhead);
      if (!isBefore || (a.ackedSeq as number) < (b.ackedSeq as number)) continue;
      const invariant = a.witness === b.witness ? 'I9 sender order' : 'I8 real time';
      fail(invariant, `${a.command.cid} was decided as ${a.ackedSeq} before ${b.command.cid} was sent, which is ${b.ackedSeq}`);
    }
  }
}

/** Nobody was shown what was said while they were out, but for what they see as a member again later. */
function checkMembership(room: RoomId, entries: readonly Entry[], checker: Checker): void {
  const users = new Set(checker.showings.map((showing) => showing.witness.user));
  for (const user of users) {
    const authority = new Authority();
    const isIn = [false, ...entries.map((entry) => (authority.apply(entry), authority.isMember(user)))];
    for (const { witness, seq, head } of checker.showings.filter((showing) => showing.room === room && showing.witness.user === user)) {
      if (!isIn.slice(seq - 1, head + 1).includes(true))
        throw new Violation('I11 authority', room, `${witness.name} was shown ${seq}, when ${user} was no member any more`);
    }
  }
}
