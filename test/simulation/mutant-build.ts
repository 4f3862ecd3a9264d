/**
 * MutantBuild: the room's sources with one patch, bundled to a module of its own. Production code knows nothing of it.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Mutant } from './mutants.ts';

const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));

/** Path of the patched module; undefined: the mutant is an option of the simulation, not a patch. */
export async function buildMutant({ name, patch }: Mutant): Promise<string | undefined> {
  if (!patch) return undefined;
  const folder = path.join(root, 'node_modules', '.cache', 'playhouse-mutants');
  mkdirSync(folder, { recursive: true });
  const outfile = path.join(folder, `${process.pid}-${name.replaceAll(/[^a-z0-9]+/gi, '-')}.mjs`);
  const target = path.join(root, 'actors', patch.file);
  const source = readFileSync(target, 'utf8');
  const found = source.split(patch.find).length - 1;
  if (found !== 1)
    throw new Error(
      `mutant "${name}": its text is found ${found} times in actors/${patch.file}, not once. The code has moved on: write the mutant anew.\n${patch.find}`,
    );
  const patched = source.replace(patch.find, () => patch.replace);
  await build({
    entryPoints: [path.join(root, 'actors', 'room-state.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup: ({ onLoad }) => onLoad({ filter: new RegExp(`/actors/${patch.file}$`) }, () => ({ contents: patched, loader: 'ts' })),
      },
    ],
  });
  return outfile;
}

function findRoot(folder: string): string {
  if (existsSync(path.join(folder, 'package.json'))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error('no package.json above the simulation');
  return findRoot(parent);
}
