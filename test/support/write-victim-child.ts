/**
 * A process that writes to a MongoDB and stands still for ever right before one of its write commands leaves, to be killed there. Started
 * by the crash tests.
 *
 *   node write-victim-child.js <mongodb:// URL that names its database> <write> delete <room> <after> <target>
 *   node write-victim-child.js <mongodb:// URL that names its database> <write> revoke <jti> <atMs>
 *
 * Says `gate` when it stands before its write number <write>, and `done <outcome>` when all of it needed fewer.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../system/clock.ts';
import { openMongo } from '../../system/store/mongo-database.ts';
import { MongoRevocations } from '../../system/store/revocations-mongo.ts';
import { MongoRoomLog } from '../../system/store/room-log-mongo.ts';
import { silentLog } from './embedded-stores.ts';
import { entriesAfter, room } from './entries.ts';

const [url = '', write = '0', story = '', ...rest] = process.argv.slice(2);
const reads = new Set(['find', 'getMore', 'aggregate', 'hello', 'ping', 'endSessions', 'killCursors', 'buildInfo', 'listIndexes']);

const database = await openMongo({ url: `${url}${url.includes('?') ? '&' : '?'}monitorCommands=true`, clock: systemClock });
let writes = 0;
// The driver tells of a command before its first byte leaves.
database.client.on('commandStarted', ({ commandName }) => {
  if (reads.has(commandName)) return;
  writes += 1;
  if (writes < Number(write)) return;
  writeSync(1, 'gate\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});

async function deleteOne([id = '', after = '0', target = '0']: readonly string[]): Promise<string> {
  const log = new MongoRoomLog(database, silentLog, false);
  const [head = { seq: 0, n: 0, writer: '' }] = await log.heads([room(id)]);
  const outcome = await log.append(room(id), Number(after), entriesAfter(head, [{ kind: 'delete', target: Number(target) }]));
  database.endCalls();
  await log.drain();
  return outcome.type;
}

async function revoke([jti = '', atMs = '0']: readonly string[]): Promise<string> {
  await new MongoRevocations(database).add({ of: { jti }, atMs: Number(atMs), endsAtMs: Number(atMs) + 3_600_000 });
  return 'added';
}

const outcome = await (story === 'delete' ? deleteOne(rest) : revoke(rest));
await database.close();
writeSync(1, `done ${outcome}\n`);
