/**
 * Migrate: `npm run migrate` makes the indexes that the MongoDB store stands on. Safe to run again, and while nodes serve.
 *
 * `npm run migrate -- --from ./data [--dry-run] [--skip-damaged]` moves an embedded log into that database besides, with its numbers and
 * client ids, and uploaded files; no node may run on either. Ctrl-C, or a kill, leaves a part; the same command goes on from there.
 * Exit code 0 when all is there, 1 with one line that says why not, 130 after Ctrl-C.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../config/load.ts';
import { systemClock } from './clock.ts';
import { Fault } from './errors.ts';
import { openEmbeddedFiles } from './files/file-store-embedded.ts';
import { openMongoFiles } from './files/file-store-mongo.ts';
import { type MovedFiles, moveFiles } from './files/move-files.ts';
import { createLogger } from './logger.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from './store/mongo-database.ts';
import { indexRows } from './store/mongo-indexes.ts';
import { type Moved, move } from './store/move.ts';
import { MoveScreen } from './store/move-screen.ts';
import { openEmbeddedMoveSource } from './store/move-source-embedded.ts';
import { MongoMoveTarget } from './store/move-target-mongo.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const usage = 'npm run migrate [-- --from <data folder> [--dry-run] [--skip-damaged]]';
const stoppedCode = 130;

interface CommandLine {
  readonly from: string | undefined;
  readonly dryRun: boolean;
  readonly skipDamaged: boolean;
}

function parseCommandLine(): CommandLine {
  try {
    const options = {
      from: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      'skip-damaged': { type: 'boolean', default: false },
    } as const;
    const { values } = parseArgs({ options });
    return { from: values.from, dryRun: values['dry-run'], skipDamaged: values['skip-damaged'] };
  } catch (error) {
    throw new Fault('USAGE', `${error instanceof Error ? error.message : 'unknown argument'}; usage: ${usage}`);
  }
}

async function main(): Promise<void> {
  const line = parseCommandLine();
  const { mongoUrl, allowUnsafeStore } = loadConfig();
  if (mongoUrl === undefined) throw new Fault('NO_MONGO', 'set CHAT_MONGO_URL; the embedded store needs no migration');
  const database = await connectMongo({ url: mongoUrl, allowUnsafe: allowUnsafeStore === true, clock: systemClock });
  try {
    await migrateMongo(database);
    say(`database ${database.db.databaseName} has its ${indexRows.length} indexes:`);
    for (const { collection, key, unique } of indexRows) say(`  ${collection} (${Object.keys(key).join(', ')})${unique ? ', unique' : ''}`);
    if (line.from !== undefined) await moveFrom(line.from, line, { url: mongoUrl, database });
  } finally {
    await database.close();
  }
}

interface Target {
  readonly url: string;
  readonly database: MongoDatabase;
}

async function moveFrom(from: string, { dryRun, skipDamaged }: CommandLine, { url, database }: Target): Promise<void> {
  let isStopped = false;
  process.on('SIGINT', () => {
    if (isStopped) process.exit(stoppedCode);
    isStopped = true;
  });
  const screen = new MoveScreen({
    clock: systemClock,
    isTerminal: process.stderr.isTTY === true,
    write: (text) => process.stderr.write(text),
  });
  const log = createLogger({ level: 'warn', base: {}, destination: { write: (text: string) => void process.stderr.write(text) } });
  const source = await openEmbeddedMoveSource(from, { clock: systemClock, log });
  const target = new MongoMoveTarget({ database, clock: systemClock, from, onWait: () => screen.waiting() });
  say(`\nmoving ${source.dir} into database ${database.db.databaseName}; Ctrl-C stops, the same command goes on`);
  try {
    const onProgress = screen.show.bind(screen);
    let files: MovedFiles = { files: 0, bytes: 0, damaged: [] };
    const also = async (): Promise<void> => {
      screen.end();
      say('moving uploaded files');
      files = await moveFilesOf(dirname(source.dir), url, () => isStopped);
    };
    const moved = await move({ source, target, dryRun, skipDamaged, onProgress, isStopped: () => isStopped, also });
    screen.end();
    say(verdict(moved, files, dryRun));
  } catch (error) {
    screen.end();
    throw error;
  } finally {
    await source.close();
  }
}

/** A node keeps them beside its log. */
async function moveFilesOf(dataFolder: string, url: string, isStopped: () => boolean): Promise<MovedFiles> {
  const folder = join(dataFolder, 'files');
  if (!existsSync(folder)) return { files: 0, bytes: 0, damaged: [] };
  const source = await openEmbeddedFiles(folder, systemClock);
  const target = await openMongoFiles({ url, allowUnsafe: true, clock: systemClock });
  try {
    return await moveFiles({ source, target, nowMs: systemClock.wallMs(), isStopped });
  } finally {
    await target.close();
    await source.close();
  }
}

function verdict(
  { rooms, entries, entriesBefore, rows, revocations, damaged, checksum }: Moved,
  { files, bytes, damaged: unreadable }: MovedFiles,
  dryRun: boolean,
): string {
  const left = [
    ...damaged.map(({ message }) => `left behind: ${message}`),
    ...unreadable.map((id) => `left behind: file ${id} does not read`),
  ];
  const what = `${rooms} rooms, ${entries} entries (${entriesBefore} were there), ${rows} rows of users, ${revocations} revocations`;
  if (dryRun) return [`would move ${what}; nothing was written`, ...left].join('\n');
  return [
    `moved and read again on both sides, all the same: ${what}, ${files} files of ${bytes} bytes; checksum ${checksum}`,
    ...left,
    'The folder is as it was. Start the nodes with CHAT_MONGO_URL from now on.',
  ].join('\n');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const code = error instanceof Fault && error.code === 'MOVE_STOPPED' ? stoppedCode : 1;
    if (error instanceof ConfigError) say(error.message);
    else say(`cannot migrate: ${error instanceof Fault ? error.message : error instanceof Error ? error.name : 'unknown error'}`);
    process.exit(code);
  },
);
