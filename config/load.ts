/**
 * Load: turns the environment into a frozen Config, or into one error that lists every mistake.
 *
 * Guarantees: nothing but `CHAT_*` variables and the files they name is read; a secret is never part of a message.
 * Does not: write anything, or make the secret of development mode. This is the only file that may look at process.env.
 */
import { readFileSync } from 'node:fs';
import { isLoopback, publicKeyMistakes, relationMistakes, secretMistakes, weaknessMistakes } from './checks.ts';
import { type Config, type Field, fields, fileVariableOf, type JwtConfig, type SettingValues, settings, variableOf } from './schema.ts';
import type { Setting } from './setting-kinds.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Source = 'default' | 'env' | 'file';

/** What is used of the machine besides the environment; tests give their own. */
export interface Surroundings {
  readonly readFile: (path: string) => string;
  readonly isTerminal: boolean;
}

const thisMachine: Surroundings = {
  readFile: (path) => readFileSync(path, 'utf8'),
  isTerminal: process.stdout.isTTY === true,
};

/** Every mistake of a configuration at once; `message` is ready to be shown. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    const head = mistakes.length === 1 ? 'The configuration has a mistake:' : `The configuration has ${mistakes.length} mistakes:`;
    super([head, ...mistakes.map((mistake) => `  - ${mistake}`)].join('\n'));
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

/** A configuration with the source of each setting, for printing. */
export interface LoadedConfig {
  readonly config: Config;
  readonly values: SettingValues;
  readonly sources: Readonly<Record<Field, Source>>;
}

export function loadConfig(env: Environment = process.env, surroundings: Surroundings = thisMachine): Config {
  return loadWithSources(env, surroundings).config;
}

export function loadWithSources(env: Environment = process.env, surroundings: Surroundings = thisMachine): LoadedConfig {
  const reading = readSettings(env, surroundings);
  const mistakes = [...unknownVariables(env), ...reading.mistakes, ...relationMistakes(reading.values, reading.mistaken)];
  const { values, mistaken } = reading;

  const hasKey = [values.jwtSecret, values.jwtPublicKeyFile].some((key) => key !== undefined) || mistaken.has('jwtSecret');
  const isLocal = isLoopback(values.host);
  const dev = values.dev ?? (!hasKey && isLocal);
  if (values.dev === true && !isLocal && !mistaken.has('host')) {
    mistakes.push(
      `CHAT_DEV=true, CHAT_HOST=${values.host}: development mode hands out tokens to anybody, so the host must be loopback (127.0.0.1, ::1, localhost)`,
    );
  }
  mistakes.push(...stateMistakes(reading), ...clusterMistakes(reading), ...serviceMistakes(reading));
  const jwt = mistaken.has('jwtSecret') || mistaken.has('host') ? undefined : decideJwt(reading, dev, surroundings, mistakes);
  if (mistakes.length > 0 || jwt === undefined) throw new ConfigError(mistakes);

  const { jwtSecret: _1, jwtAlgorithm: _2, jwtPublicKeyFile: _3, jwtIssuer: _4, jwtAudience: _5, ...rest } = values;
  const config: Config = { ...rest, dev, logPretty: values.logPretty ?? surroundings.isTerminal, jwt: Object.freeze(jwt) };
  Object.freeze(config.origins);
  Object.freeze(config.trustedProxies);
  Object.freeze(config.kafkaBrokers);
  return { config: Object.freeze(config), values, sources: reading.sources };
}

interface Reading {
  /** Where a value was refused, its default stands in, so that the rest can still be judged. */
  readonly values: SettingValues;
  readonly mistaken: ReadonlySet<Field>;
  readonly sources: Record<Field, Source>;
  readonly mistakes: readonly string[];
}

function readSettings(env: Environment, surroundings: Surroundings): Reading {
  const values: Partial<Record<Field, unknown>> = {};
  const sources: Partial<Record<Field, Source>> = {};
  const mistaken = new Set<Field>();
  const mistakes: string[] = [];
  const refuse = (field: Field, mistake: string): void => {
    mistaken.add(field);
    mistakes.push(mistake);
  };

  for (const field of fields) {
    const setting: Setting<unknown> = settings[field];
    const name = variableOf(field);
    const fileName = fileVariableOf(field);
    const path = fileName === undefined ? undefined : env[fileName];
    values[field] = setting.default;
    sources[field] = 'default';

    let raw = env[name];
    if (raw !== undefined) sources[field] = 'env';
    if (path !== undefined) {
      if (raw !== undefined) {
        refuse(field, `${name}, ${fileName}: both are given; give one`);
        continue;
      }
      sources[field] = 'file';
      const read = readText(path, surroundings);
      if (!read.ok) {
        refuse(field, `${fileName}=${path}: must name a readable file (${read.reason})`);
        continue;
      }
      // Editors and `echo` end a file with a line break that is no part of the secret.
      raw = read.text.replace(/\r?\n$/, '');
    }
    if (raw === undefined) continue;

    const result = setting.schema.safeParse(raw);
    if (result.success) values[field] = result.data;
    else refuse(field, `${describeGiven(setting, path === undefined ? name : `${fileName}=${path}`, raw)}: must be ${ruleOf(setting)}`);
  }
  return { values: values as SettingValues, mistaken, sources: sources as Record<Field, Source>, mistakes };
}

export function ruleOf(setting: Setting<unknown>): string {
  return setting.unit === undefined ? setting.rule : `${setting.rule} (${setting.unit})`;
}

/** JSON's quotes keep a stray line break or blank visible; a long value is cut. */
function describeGiven(setting: Setting<unknown>, name: string, raw: string): string {
  if (raw === '') return `${name} is empty`;
  if (setting.isSecret) return name;
  return /^[\x21-\x7e]{1,200}$/.test(raw) ? `${name}=${raw}` : `${name}=${JSON.stringify(raw.slice(0, 200))}`;
}

type ReadOutcome = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

function readText(path: string, surroundings: Surroundings): ReadOutcome {
  try {
    return { ok: true, text: surroundings.readFile(path) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error && 'code' in error ? String(error.code) : 'unreadable' };
  }
}

function decideJwt(reading: Reading, dev: boolean, surroundings: Surroundings, mistakes: string[]): JwtConfig | undefined {
  const { jwtSecret: secret, jwtPublicKeyFile: keyFile, jwtAlgorithm: algorithm, jwtIssuer, jwtAudience } = reading.values;
  const claims = { ...(jwtIssuer !== undefined && { issuer: jwtIssuer }), ...(jwtAudience !== undefined && { audience: jwtAudience }) };

  if (secret !== undefined && keyFile !== undefined) {
    mistakes.push('CHAT_JWT_SECRET, CHAT_JWT_PUBLIC_KEY_FILE: both are given; a token is verified with one of them');
    return undefined;
  }
  if (algorithm === 'RS256' || algorithm === 'ES256') {
    if (keyFile === undefined) {
      mistakes.push(
        `CHAT_JWT_ALGORITHM=${algorithm}: needs CHAT_JWT_PUBLIC_KEY_FILE${secret === undefined ? '' : ' instead of CHAT_JWT_SECRET'}`,
      );
      return undefined;
    }
    if (dev) mistakes.push(`CHAT_DEV=true, CHAT_JWT_PUBLIC_KEY_FILE=${keyFile}: development mode signs tokens, which a public key cannot`);
    const pem = readText(keyFile, surroundings);
    if (!pem.ok) {
      mistakes.push(`CHAT_JWT_PUBLIC_KEY_FILE=${keyFile}: must name a readable file (${pem.reason})`);
      return undefined;
    }
    mistakes.push(...publicKeyMistakes(`CHAT_JWT_PUBLIC_KEY_FILE=${keyFile}`, pem.text, algorithm));
    return { kind: 'publicKey', algorithm, publicKeyPem: pem.text, ...claims };
  }
  if (keyFile !== undefined) {
    mistakes.push(`CHAT_JWT_PUBLIC_KEY_FILE=${keyFile}: ${algorithm} uses a secret; set CHAT_JWT_ALGORITHM to RS256 or ES256`);
    return undefined;
  }
  if (secret !== undefined) {
    const name = reading.sources.jwtSecret === 'file' ? 'CHAT_JWT_SECRET_FILE' : 'CHAT_JWT_SECRET';
    mistakes.push(...secretMistakes(name, secret, algorithm, dev));
    return { kind: 'secret', algorithm, secret, ...claims };
  }
  if (dev) return { kind: 'dev', algorithm, ...claims };
  mistakes.push(
    'CHAT_JWT_SECRET: is missing; give it, CHAT_JWT_SECRET_FILE or CHAT_JWT_PUBLIC_KEY_FILE. Only development mode (CHAT_DEV, on a loopback host) makes its own',
  );
  return undefined;
}

/** Whoever reaches the state server is believed, unless it asks for a secret. */
function stateMistakes({ values, mistaken, sources }: Reading): string[] {
  const { stateHost, stateSecret } = values;
  if (mistaken.has('stateSecret') || mistaken.has('stateHost')) return [];
  if (stateSecret !== undefined)
    return weaknessMistakes(sources.stateSecret === 'file' ? 'CHAT_STATE_SECRET_FILE' : 'CHAT_STATE_SECRET', stateSecret);
  if (isLoopback(stateHost)) return [];
  return [`CHAT_STATE_HOST=${stateHost}: needs CHAT_STATE_SECRET or CHAT_STATE_SECRET_FILE, since others can reach it`];
}

/** Half a cluster would lose what it seems to keep. */
function clusterMistakes({ values, mistaken, sources }: Reading): string[] {
  const { kafkaBrokers, mongoUrl, clusterSecret } = values;
  const mistakes: string[] = [];
  if (kafkaBrokers.length > 0 && mongoUrl === undefined && !mistaken.has('mongoUrl')) {
    mistakes.push(
      `CHAT_KAFKA_BROKERS=${kafkaBrokers.join(',')}: needs CHAT_MONGO_URL too: nodes that tell each other of rooms must store them in one place`,
    );
  }
  if (kafkaBrokers.length > 0 && clusterSecret === undefined && !mistaken.has('clusterSecret')) {
    mistakes.push(
      `CHAT_KAFKA_BROKERS=${kafkaBrokers.join(',')}: needs CHAT_CLUSTER_SECRET or CHAT_CLUSTER_SECRET_FILE, by which nodes know each other's records from forged ones`,
    );
  }
  if (clusterSecret !== undefined) {
    mistakes.push(
      ...weaknessMistakes(sources.clusterSecret === 'file' ? 'CHAT_CLUSTER_SECRET_FILE' : 'CHAT_CLUSTER_SECRET', clusterSecret),
    );
  }
  return mistakes;
}

function serviceMistakes({ values, sources }: Reading): string[] {
  return (['directorySecret', 'notifySecret'] as const).flatMap((field) => {
    const secret = values[field];
    if (secret === undefined) return [];
    return weaknessMistakes((sources[field] === 'file' ? fileVariableOf(field) : undefined) ?? variableOf(field), secret);
  });
}

function unknownVariables(env: Environment): string[] {
  const known = fields.flatMap((field) => [variableOf(field), fileVariableOf(field) ?? []].flat());
  return Object.keys(env)
    .filter((name) => name.startsWith('CHAT_') && env[name] !== undefined && !known.includes(name))
    .map((name) => {
      const nearest = nearestName(name, known);
      return `${name}: no such setting${nearest === undefined ? '; npm run config lists them all' : `; did you mean ${nearest}?`}`;
    });
}

/** The known name that is fewest edits away, when that is few enough to be a slip. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let nearestEdits = Math.max(2, Math.floor((name.length - 'CHAT_'.length) / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.slice(0, 64), candidate);
    if (edits < nearestEdits) [nearest, nearestEdits] = [candidate, edits];
  }
  return nearest;
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
