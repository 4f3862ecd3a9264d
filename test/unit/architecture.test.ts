/**
 * Architecture: who may import whom, and who may touch time, chance, the environment and the console.
 *
 * biome.json says the same to an editor while one types, as far as it can. This is the exact form: imports are resolved,
 * what is not allowed is refused, type-only imports are told from others. The first row that matches a file counts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Row {
  readonly from: readonly string[];
  readonly mayImport: readonly string[];
  /** Besides: only as types. */
  readonly types?: readonly string[];
  readonly never?: readonly string[];
}

const composition = [
  'system/node.ts',
  'system/node-*.ts',
  'system/main.ts',
  'system/state-server-*.ts',
  'system/migrate.ts',
  'system/topics.ts',
  'system/docs.ts',
  'system/bounds*.ts',
];
const twins = ['system/*/*-@(memory|embedded|mongo|kafka|redis|tcp)*.ts', 'system/*/@(memory|embedded|mongo|kafka|redis)*.ts'];
const sockets = ['node:net', 'node:tls', 'node:dgram', 'node:http', 'node:https', 'node:http2'];
const drivers = ['classic-level', 'mongodb', 'mongoose', 'kafkajs', 'ioredis', 'redis'];
const hiddenClocks = ['node:timers', 'node:timers/promises', 'node:process', 'node:perf_hooks'];
const contracts = [
  'system/store/@(entry|revocations|room-log|room-store|user-rooms).ts',
  'system/wire/wire.ts',
  'system/cluster/@(cluster-view|node-link|cluster-limits).ts',
  'system/directory/@(directory|notifier).ts',
  'system/files/file-store.ts',
  'system/state/state-link.ts',
];
const pureActors = ['actors/*-state.ts', 'actors/room-fold.ts', 'actors/room-delivery.ts', 'actors/room-protocol.ts'];

const table: readonly Row[] = [
  { from: ['config/**'], mayImport: ['node:*', 'zod', 'config/**'], never: hiddenClocks },
  {
    from: ['system/node.ts', 'system/node-*.ts', 'system/main.ts', 'system/state-server-*.ts', 'system/migrate.ts', 'system/topics.ts'],
    mayImport: ['**'],
    never: ['test/**', 'gateway/client/**'],
  },
  {
    from: ['system/docs.ts'],
    mayImport: [
      'node:*',
      'config/**',
      'system/@(errors|bounds|bounds-row|metric-table|supervision-guide).ts',
      'system/wire/@(event-record|topics).ts',
    ],
  },
  { from: ['system/bounds*.ts'], mayImport: ['actors/**', 'config/**', 'gateway/**', 'system/**'], never: ['gateway/client/**'] },
  { from: ['system/logger.ts'], mayImport: ['node:*', 'pino', 'pino-pretty', 'system/**'], never: [...twins, ...composition] },
  { from: ['system/metrics.ts'], mayImport: ['prom-client', 'system/metric-table.ts'] },
  {
    from: ['system/actor*.ts', 'system/supervision.ts'],
    mayImport: ['node:*', 'nact', 'zod', 'system/*.ts'],
    never: [...composition, ...sockets],
  },
  {
    // Pure, as the actors' states are; what they say and hear comes in as an argument.
    from: [
      'system/state/@(link|older|state)-*state.ts',
      'system/state/@(link|older)-*.ts',
      'system/state/state-@(answers|lines|rows|lives|voice|voice-moves|watches|sessions|transition-queue|keep).ts',
    ],
    mayImport: ['system/state/**'],
    types: ['system/ids.ts'],
    never: twins,
  },
  { from: twins, mayImport: ['node:*', 'node:*/**', 'zod', ...drivers, 'system/**', 'config/**'], never: composition },
  {
    from: ['system/**'],
    mayImport: ['node:*', 'node:*/**', 'zod', 'jsonwebtoken', 'system/**', 'config/**'],
    never: [...twins, ...composition],
  },
  {
    from: pureActors,
    mayImport: ['system/ids.ts', 'system/store/entry.ts', ...pureActors],
    types: ['system/*.ts', ...contracts, 'actors/*.ts'],
    never: [...twins, ...composition, 'system/clock.ts', 'system/logger.ts'],
  },
  {
    from: ['actors/**'],
    mayImport: ['node:*', 'zod', 'actors/**', 'system/@(actor|supervision|errors|ids|clock|logger|metrics|retry).ts', ...contracts],
    types: ['config/schema.ts'],
    never: [...twins, ...composition, ...sockets],
  },
  {
    from: ['gateway/client/**'],
    mayImport: [
      'node:*',
      'node:*/**',
      'socket.io-client',
      'gateway/client/**',
      'gateway/client-protocol.ts',
      'system/ids.ts',
      'system/errors.ts',
    ],
  },
  {
    from: ['gateway/**'],
    mayImport: [
      'node:*',
      'node:*/**',
      'zod',
      'socket.io',
      'ws',
      'fastify',
      '@fastify/*',
      'file-type',
      'jsonwebtoken',
      'gateway/**',
      'actors/**',
      'system/**',
    ],
    types: ['config/schema.ts'],
    never: [...twins, ...composition, 'gateway/client/**', ...hiddenClocks],
  },
];

/** Only these files may use the word; everything else is given what it needs. test/ and the client's program are free. */
const words: readonly { readonly what: string; readonly pattern: RegExp; readonly only: readonly string[] }[] = [
  {
    what: 'a timer',
    pattern: /(?<![.\w])(?:globalThis\.)?set(?:Timeout|Interval|Immediate)\b/g,
    only: ['system/clock.ts', 'system/main.ts'],
  },
  {
    what: 'the time',
    pattern: /\b(?:Date|performance)\.now\b|\bnew Date\(\)|\bprocess\.hrtime\b/g,
    only: ['system/clock.ts', 'system/main.ts'],
  },
  { what: 'chance', pattern: /\bMath\.random\b/g, only: ['system/ids.ts'] },
  { what: 'the environment', pattern: /\bprocess\.env\b/g, only: ['config/load.ts', 'system/main.ts'] },
  {
    what: 'an entry of MongoDB before what was deleted is taken out of it',
    pattern: /\bdecodeRow\b/g,
    only: ['system/store/entry-mongo.ts', 'system/store/delete-marks-mongo.ts'],
  },
  { what: 'the console', pattern: /\bconsole\b/g, only: ['system/logger.ts', 'system/main.ts'] },
];
const free = ['gateway/client/**'];

// ---- the scan ----
const sources = ['config', 'system', 'actors', 'gateway'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
);

/** `*` stays within a folder, `**` does not, `@(a|b)` is one of them. */
function matches(name: string, globs: readonly string[]): boolean {
  return globs.some((glob) => {
    const pattern = glob
      .replace(/[.+^${}\\]/g, '\\$&')
      .replace(/@\(/g, '(?:')
      .replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'));
    return new RegExp(`^${pattern}$`).test(name);
  });
}

interface Import {
  readonly target: string;
  readonly isType: boolean;
}

function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const statement = /^\s*(?:import|export)\s+(?:(type)\s+)?(?:([^'";]*?)\s*from\s*)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;
  for (const [, type, names, specifier, dynamic] of text.matchAll(statement)) {
    const target = specifier ?? dynamic ?? '';
    const inner = /^\{(.*)\}$/s.exec(names?.trim() ?? '')?.[1];
    const isEachType = inner?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false;
    const resolved = target.startsWith('.') ? posix.join(posix.dirname(file), target) : target;
    found.push({ target: resolved, isType: type !== undefined || isEachType });
  }
  return found;
}

function brokenImports(file: string, text: string): string[] {
  const row = table.find(({ from }) => matches(file, from));
  if (row === undefined) return [`${file}: no row of the table says what it may import`];
  return importsOf(file, text)
    .filter(({ target, isType }) => {
      // A twin may import its own kind: an embedded store is more than one file.
      const isOwnKind = kindOf(file) !== undefined && kindOf(file) === kindOf(target);
      const isForbidden = matches(target, row.never ?? []) || (kindOf(file) !== undefined && kindOf(target) !== undefined && !isOwnKind);
      return isForbidden || !matches(target, isType ? [...row.mayImport, ...(row.types ?? [])] : row.mayImport);
    })
    .map(({ target, isType }) => `${file} imports ${isType ? 'types of ' : ''}${target}`);
}

function kindOf(name: string): string | undefined {
  return matches(name, twins) ? /(?:^|[-/])(memory|embedded|mongo|kafka|redis|tcp)[^/]*$/.exec(name)?.[1] : undefined;
}

/** Comments and strings speak of these words freely. */
function withoutProse(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'/g, ' ');
}

function usedWords(file: string, text: string): string[] {
  if (matches(file, free)) return [];
  const code = withoutProse(text);
  return words
    .filter(({ only }) => !matches(file, only))
    .flatMap(({ what, pattern }) => [...code.matchAll(pattern)].map(([word]) => `${file} uses ${what}: ${word}`));
}

const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8');

describe('the architecture', () => {
  it('lets every file import only what its row of the table allows', () => {
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.flatMap((file) => brokenImports(file, read(file)))).toEqual([]);
  });

  it('keeps time, chance, the environment and the console in their own files', () => {
    expect(sources.flatMap((file) => usedWords(file, read(file)))).toEqual([]);
  });
});

describe('the scan finds', () => {
  const refused: readonly (readonly [string, string])[] = [
    ['config/a.ts', "import { newId } from '../system/ids.ts';"],
    ['config/a.ts', "import type { Logger } from '../system/logger.ts';"],
    ['system/a.ts', "import type { RoomCommand } from '../actors/room.ts';"],
    ['system/store/a.ts', "export * from '../../gateway/outbox.ts';"],
    ['system/a.ts', "import { startNode } from './node.ts';"],
    ['system/a.ts', "import { ClassicLevel } from 'classic-level';"],
    ['system/a.ts', "import { pino } from 'pino';"],
    ['system/a.ts', "import { spawn } from 'nact';"],
    ['system/a.ts', "const log = await import('./store/room-log-embedded.ts');"],
    ['system/store/room-log-memory.ts', "import { x } from './room-log-embedded.ts';"],
    ['system/wire/wire-memory.ts', "import { x } from '../store/room-log-embedded.ts';"],
    ['system/main.ts', "import { x } from '../test/support/probe.ts';"],
    ['actors/room.ts', "import { x } from '../gateway/outbox.ts';"],
    ['actors/room.ts', "import { Server } from 'socket.io';"],
    ['actors/room.ts', "import { connect } from 'node:net';"],
    ['actors/room.ts', "import { x } from '../system/store/room-log-embedded.ts';"],
    ['actors/room.ts', "import type { EntryDocument } from '../system/store/entry-document.ts';"],
    ['actors/room.ts', "import { x } from '../system/actor-cell.ts';"],
    ['actors/room.ts', "import { settings } from '../config/schema.ts';"],
    ['actors/room-state.ts', "import { refuse } from '../system/errors.ts';"],
    ['actors/room-state.ts', "import type { Clock } from '../system/clock.ts';"],
    ['system/state/link-state.ts', "import type { Clock } from '../clock.ts';"],
    ['system/state/link-talk-state.ts', "import { connect } from 'node:net';"],
    ['system/state/link-older-state.ts', "import { OlderTalk } from './state-link-older-tcp.ts';"],
    ['actors/room-fold.ts', "import { spawnRoom } from './room.ts';"],
    ['actors/room-fold.ts', "import { createHash } from 'node:crypto';"],
    ['gateway/server.ts', "import { ClassicLevel } from 'classic-level';"],
    ['gateway/server.ts', "import { x } from '../system/store/room-log-embedded.ts';"],
    ['gateway/server.ts', "import { setTimeout } from 'node:timers/promises';"],
    ['gateway/client/chat.ts', "import { x } from '../outbox.ts';"],
    ['gateway/client/chat.ts', "import { x } from '../../system/actor.ts';"],
  ];
  it.each(refused)('%s: %s', (file, text) => {
    expect(brokenImports(file, text)).toHaveLength(1);
  });

  const allowed: readonly (readonly [string, string])[] = [
    ['config/a.ts', "import { z } from 'zod';"],
    ['system/node.ts', "import { x } from './store/room-log-embedded.ts';"],
    ['system/store/room-log-embedded.ts', "import { x } from './room-log-embedded-keys.ts';"],
    ['actors/room.ts', "import { type Clock } from '../system/clock.ts';"],
    ['actors/room.ts', "import type { RoomLog } from '../system/store/room-log.ts';"],
    ['actors/room.ts', "import type { Config } from '../config/schema.ts';"],
    ['actors/room-state.ts', "import { type Entry, type Head } from '../system/store/entry.ts';"],
    ['actors/room-state.ts', "import type { Refusal } from '../system/errors.ts';"],
    ['gateway/client/chat.ts', "import { io } from 'socket.io-client';"],
  ];
  it.each(allowed)('nothing in %s: %s', (file, text) => {
    expect(brokenImports(file, text)).toEqual([]);
  });

  it.each([
    'setTimeout(f, 1)',
    'globalThis.setInterval(f, 1)',
    'setImmediate(f)',
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'process.env.HOME',
    'console.log(1)',
  ])('the word in: %s', (code) => {
    expect(usedWords('actors/a.ts', `const a = 1; ${code};`)).toHaveLength(1);
    expect(usedWords('actors/a.ts', `// ${code}\n/* ${code} */`)).toEqual([]);
  });
});
