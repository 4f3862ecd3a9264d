/**
 * Migrate: `npm run migrate` makes the indexes that the MongoDB store stands on. Safe to run again, and while nodes serve.
 *
 * Exit code 0 when they are all there, 1 with one line that says why not.
 */
import { ConfigError, loadConfig } from '../config/load.ts';
import { systemClock } from './clock.ts';
import { Fault } from './errors.ts';
import { connectMongo, migrateMongo } from './store/mongo-database.ts';
import { indexRows } from './store/mongo-indexes.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const { mongoUrl, allowUnsafeStore } = loadConfig();
  if (mongoUrl === undefined) throw new Fault('NO_MONGO', 'set CHAT_MONGO_URL; the embedded store needs no migration');
  const database = await connectMongo({ url: mongoUrl, allowUnsafe: allowUnsafeStore === true, clock: systemClock });
  try {
    await migrateMongo(database);
    say(`database ${database.db.databaseName} has its ${indexRows.length} indexes:`);
    for (const { collection, key, unique } of indexRows) say(`  ${collection} (${Object.keys(key).join(', ')})${unique ? ', unique' : ''}`);
  } finally {
    await database.close();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    if (error instanceof ConfigError) say(error.message);
    else say(`cannot migrate: ${error instanceof Fault ? error.message : error instanceof Error ? error.name : 'unknown error'}`);
    process.exit(1);
  },
);
