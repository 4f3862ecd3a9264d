/**
 * UploadVictim: a whole node in a process of its own that never comes from the bytes of an upload to its entry, to be killed there.
 *
 *     node dist/test/support/upload-victim-child.js <folder of its data> [url of MongoDB]
 *
 * The stores are those of a node that serves; only `put` of a file whose command id begins with `held` does not return once it has stored
 * what came. Says `up <url>`, and `durable <file id>` at that moment.
 */
import { join } from 'node:path';
import { systemClock } from '../../system/clock.ts';
import type { FileStore } from '../../system/files/file-store.ts';
import { openEmbeddedFiles } from '../../system/files/file-store-embedded.ts';
import { openMongoFiles } from '../../system/files/file-store-mongo.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { silentLog } from './embedded-stores.ts';
import { startInProcess } from './test-nodes.ts';

const [dir = '', mongoUrl] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function held(files: FileStore): FileStore {
  const put = files.put.bind(files);
  files.put = async (id, owner, ...rest) => {
    const outcome = await put(id, owner, ...rest);
    if (!owner.cid.startsWith('held')) return outcome;
    say(`durable ${id}`);
    return new Promise(() => {});
  };
  return files;
}

const deps = { clock: systemClock, log: silentLog };
const store = await (mongoUrl === undefined
  ? openEmbeddedStore({ dir: join(dir, 'log'), ...deps })
  : openMongoStore({ url: mongoUrl, ...deps }));
const files = await (mongoUrl === undefined
  ? openEmbeddedFiles(join(dir, 'files'), systemClock)
  : openMongoFiles({ url: mongoUrl, clock: systemClock }));
const wire = createMemoryWireHub().join('victim');
const { url } = await startInProcess({ dataDir: dir }, { store, parts: { store, files: held(files), wire, sharedLog: false } });
say(`up ${url}`);
