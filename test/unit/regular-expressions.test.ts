/**
 * Every regular expression of the sources, against 50 kB made to hurt it: none may need more than 50 ms by growing faster than its input.
 *
 * A nested quantifier takes minutes for 30 characters, and one event loop serves everybody. The expressions are found by
 * scanning the sources, so a new one is tested without being listed. Each runs in a context that can be stopped, since an
 * expression that backtracks for ever would take the test with it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inputChars = 50_000;
/** What 50 kB may take: the least of several runs, since other processes take their time from each. */
const worstMs = 50;
const runsMax = 5;
/** Above that on a busy machine the growth decides: twice the input takes twice as long, or four times, which is a square. */
const growthMax = 3;
/** Backtracking never ends by itself. */
const stoppedAfterMs = 1_000;

interface Found {
  readonly where: string;
  readonly source: string;
  readonly flags: string;
}

/** A literal begins where a value may: after these a slash is no division. */
const literal = /(?<=^|[=(,:[!&|?{};]\s*|\breturn\s+|=>\s*)\/((?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/g;

/** Made of a template: numbers stand for what is filled in. */
const composed = /new RegExp\(`((?:[^`\\]|\\.)*)`(?:, '([a-z]*)')?\)/g;

function expressionsIn(where: string, text: string): Found[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/^\s*\/\/.*$/gm, ' ');
  const literals = code
    .split('\n')
    .flatMap((line) => [...line.matchAll(literal)].map(([, source = '', flags = '']) => ({ source, flags })));
  const templates = [...code.matchAll(composed)].map(([, template = '', flags = '']) => ({
    source: template.replace(/\$\{[^}]*\}/g, '64').replaceAll('\\\\', '\\'),
    flags,
  }));
  return [...literals, ...templates].map((each) => ({ where, ...each }));
}

const sources = ['config', 'system', 'actors', 'gateway'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
);
const found = sources.flatMap((file) => expressionsIn(file, readFileSync(`${root}/${file}`, 'utf8')));

/** Pieces that the expression itself speaks of, repeated, with an end that does not match. */
function hostileInputs(source: string, chars: number): string[] {
  const words = [...new Set(source.match(/[A-Za-z0-9]+/g) ?? [])];
  const pieces = [
    'a',
    '0',
    ' ',
    '-',
    '.',
    '/',
    '"',
    '\\',
    '{',
    "'",
    ',',
    '_',
    '\n',
    '\r\n',
    '=',
    ':',
    'a.',
    'a-',
    '1.',
    'a b',
    '\u0000',
    '💥',
    'é',
    'aA0_-',
    '127.',
    ...words,
  ];
  const ends = ['', '!'];
  return pieces.flatMap((piece) => {
    const body = piece.repeat(Math.ceil(chars / piece.length)).slice(0, chars);
    const heads = [body, ...words.slice(0, 1).map((word) => word + body), `"${body}`];
    return heads.flatMap((head) => ends.map((end) => head + end));
  });
}

const context = createContext({});
const run = new Script(
  'for (const input of inputs) { const expression = new RegExp(source, flags); expression.test(input); input.replace(expression, ""); }',
);

/** The least of some runs; of one, where that is enough. */
function leastMs({ source, flags }: Pick<Found, 'source' | 'flags'>, input: string, enoughMs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < runsMax && least > enoughMs; count += 1) {
    Object.assign(context, { inputs: [input], source, flags });
    const beganMs = performance.now();
    try {
      run.runInContext(context, { timeout: stoppedAfterMs });
      least = Math.min(least, performance.now() - beganMs);
    } catch {
      // Once the machine may have stood still; twice it is the expression.
      if (count > 0) return Number.POSITIVE_INFINITY;
    }
  }
  return least;
}

/** undefined: linear enough. */
function whyTooSlow(expression: Pick<Found, 'source' | 'flags'>): string | undefined {
  const halves = hostileInputs(expression.source, inputChars / 2);
  for (const [index, input] of hostileInputs(expression.source, inputChars).entries()) {
    const wholeMs = leastMs(expression, input, worstMs);
    if (wholeMs <= worstMs) continue;
    const halfMs = wholeMs === Number.POSITIVE_INFINITY ? 0 : leastMs(expression, halves[index] ?? '', 0);
    if (wholeMs >= growthMax * halfMs) return `on ${JSON.stringify(input.slice(0, 12))}… : ${wholeMs} ms, ${halfMs} ms for half of it`;
  }
  return undefined;
}

describe('the regular expressions of the sources', () => {
  it('are found by the scan', () => {
    expect(found.length).toBeGreaterThan(20);
    const wheres = new Set(found.map(({ where }) => where));
    for (const file of ['system/ids.ts', 'gateway/handshake.ts', 'gateway/token.ts', 'config/schema.ts', 'system/cause.ts'])
      expect(wheres, file).toContain(file);
    expect(found.map(({ source }) => source)).toContain('^[A-Za-z0-9_-]{1,64}$');
    // One that is made of anything else than a template would not be seen.
    const text = sources.map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('\n');
    expect(text.match(/new RegExp\(/g) ?? []).toHaveLength([...text.matchAll(composed)].length);
  });

  it.each(found.map((each) => [`${each.where} /${each.source}/${each.flags}`, each] as const))('%s is linear', (_name, each) => {
    expect(whyTooSlow(each)).toBeUndefined();
  });
});

describe('the test itself', () => {
  it.each(['^(a+)+$', '^(\\w+\\s?)*$', '(x+x+)+y', '^(?:a|a)*$', '"(?:[^"]|[^"])*"$', '\\/+$', '\\s+$', 'a*b'])(
    'notices /%s/',
    (source) => {
      expect(whyTooSlow({ source, flags: '' })).toBeDefined();
    },
  );

  it('finds literals and no divisions', () => {
    const text = "const a = b / c / d; // not /this/\nif (/x[/]y/u.test(z)) return /q\\/w/g;\nf(a, /1+/);\nconst s = 'http://x/y/';";
    expect(expressionsIn('f', text).map(({ source, flags }) => `${source} ${flags}`)).toEqual(['x[/]y u', 'q\\/w g', '1+ ']);
    const template = ['x(new RegExp(`^[^\\\\s]{1,$', "{most}}$`, 'u'))"].join('');
    expect(expressionsIn('f', template)).toEqual([{ where: 'f', source: '^[^\\s]{1,64}$', flags: 'u' }]);
  });
});
