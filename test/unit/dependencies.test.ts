/**
 * Dependencies: exact pins, versions above known holes, a lock that names no server, no script at install.
 *
 * The registry's audit is not reachable from everywhere, so the floor is written down here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: true;
  readonly optional?: true;
}
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const root = new URL('../../', import.meta.url);
const readJson = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, root), 'utf8')) as T;
const manifest = readJson<Manifest>('package.json');
const locked = Object.entries(readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json').packages).filter(
  ([path]) => path !== '',
);
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const direct = { ...manifest.dependencies, ...manifest.devDependencies };

/** The least version without a known hole, and the hole. Judged only where the package is there. */
const floors: Readonly<Record<string, readonly [string, string]>> = {
  'socket.io': ['4.6.2', 'CVE-2024-38355'],
  'socket.io-parser': ['4.2.7', 'CVE-2026-33151, CVE-2026-69185'],
  'engine.io': ['6.6.7', 'CVE-2026-59725'],
  ws: ['8.21.1', 'CVE-2026-48779, CVE-2026-62389, CVE-2026-45736'],
  jsonwebtoken: ['9.0.0', 'CVE-2022-23529, CVE-2022-23539, CVE-2022-23540, CVE-2022-23541'],
  jws: ['3.2.3', 'CVE-2025-65945'],
  multer: ['2.1.1', 'CVE-2025-47935 and later'],
  mongoose: ['9.9.2', 'floor of the reliability notes'],
  mongodb: ['7.8.0', 'floor of the reliability notes'],
};
const alwaysThere = ['socket.io', 'socket.io-parser', 'engine.io', 'ws', 'jsonwebtoken', 'jws'];

function isAtLeast(version: string, floor: string): boolean {
  const parts = (text: string): number[] => text.split(/[-+]/, 1)[0]?.split('.').map(Number) ?? [];
  const [have, need] = [parts(version), parts(floor)];
  for (let i = 0; i < 3; i += 1) {
    const difference = (have[i] ?? 0) - (need[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return !version.includes('-');
}

function installedVersion(path: string): string | undefined {
  const file = `${path}/package.json`;
  return existsSync(new URL(file, root)) ? readJson<{ version: string }>(file).version : undefined;
}

describe('dependencies', () => {
  it('are pinned exactly', () => {
    expect(Object.entries(direct).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('are installed as the lock says', () => {
    const wrong = locked
      .map(([path, { version, optional }]) => ({ path, version, installed: installedVersion(path), optional }))
      .filter(({ version, installed, optional }) => installed !== version && !(optional === true && installed === undefined));
    expect(wrong).toEqual([]);
    expect(Object.entries(direct).filter(([name, version]) => installedVersion(`node_modules/${name}`) !== version)).toEqual([]);
  });

  it.each(Object.entries(floors))('%s is at least %s everywhere in the tree', (name, [floor]) => {
    const copies = locked.filter(([path]) => nameOf(path) === name);
    if (alwaysThere.includes(name)) expect(copies.length).toBeGreaterThan(0);
    for (const [path, { version = '' }] of copies) {
      expect(isAtLeast(version, floor), `${path} ${version} in the lock`).toBe(true);
      expect(isAtLeast(installedVersion(path) ?? '', floor), `${path} installed`).toBe(true);
    }
  });

  it('run no script when they are installed, except refused ones', () => {
    const withScript = locked.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional).map(([path]) => nameOf(path));
    const refused = Object.entries(manifest.allowScripts)
      .filter(([, isAllowed]) => !isAllowed)
      .map(([name]) => name);
    expect(Object.keys(manifest.allowScripts)).toEqual(refused);
    expect(withScript.filter((name) => !refused.includes(name))).toEqual([]);
  });

  it('are locked by content and not by address', () => {
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
    expect(locked.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
  });
});

describe('the comparison of versions', () => {
  it.each([
    ['8.21.1', '8.21.1', true],
    ['8.21.0', '8.21.1', false],
    ['8.3.9', '8.21.1', false],
    ['9.0.0', '8.21.1', true],
    ['8.21.1-rc.1', '8.21.1', false],
    ['', '1.0.0', false],
  ])('%s is at least %s: %s', (version, floor, expected) => {
    expect(isAtLeast(version, floor)).toBe(expected);
  });
});
