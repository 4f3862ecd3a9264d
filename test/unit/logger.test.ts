/**
 * Logger: every line is one JSON object of at most 8 kB, and holds no secret even where a caller was careless.
 */
import { describe, expect, it } from 'vitest';
import { boundedLine, lineBytesMax } from '../../system/log-line.ts';
import { createLogger } from '../../system/logger.ts';

function logged(log: (logger: ReturnType<typeof createLogger>) => void): {
  readonly line: string;
  readonly fields: Record<string, unknown>;
} {
  const lines: string[] = [];
  log(createLogger({ level: 'debug', base: { node: 'n' }, destination: { write: (line: string) => void lines.push(line) } }));
  expect(lines).toHaveLength(1);
  const [line = ''] = lines;
  return { line, fields: JSON.parse(line) as Record<string, unknown> };
}

describe('a line', () => {
  it('that is too long keeps its first fields, short, and says so', () => {
    const { line, fields } = logged((log) =>
      log.warn({ ev: 'x', list: Array.from({ length: 5_000 }, (_, i) => i), long: 'é'.repeat(20_000) }, 'words'),
    );
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(lineBytesMax);
    expect(line.endsWith('\n')).toBe(true);
    expect(fields).toMatchObject({ level: 40, node: 'n', ev: 'x', list: '[cut]', msg: 'words', cutFromBytes: expect.any(Number) });
    expect(fields['cutFromBytes']).toBeGreaterThan(40_000);
  });

  it('with very many fields, or very long names of them, is short too', () => {
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`${'n'.repeat(300)}${i}`, 'v'.repeat(300)]));
    const { line } = logged((log) => log.error(many, 'words'));
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(lineBytesMax);
  });

  it('of exactly the bound passes as it is; one byte more does not', () => {
    const lineOf = (bytes: number) => `${JSON.stringify({ level: 30, a: 'x'.repeat(bytes - 20) })}\n`;
    const exact = lineOf(lineBytesMax);
    expect(Buffer.byteLength(exact)).toBe(lineBytesMax + 2 - 2);
    expect(boundedLine(exact)).toBe(exact);
    expect(boundedLine(lineOf(lineBytesMax + 1))).toContain('cutFromBytes');
    expect(boundedLine('x'.repeat(20_000))).toContain('no JSON object');
  });

  it('cannot be broken by what is in it', () => {
    const hostile = 'a\n{"level":60}\r\u2028\u001b[31m\ud800"\\';
    const { line, fields } = logged((log) => log.info({ ev: hostile }, hostile));
    for (const control of ['\n', '\r', '\u001b']) expect(line.trimEnd()).not.toContain(control);
    expect(fields['level']).toBe(30);
  });
});

describe('secrets', () => {
  it.each([
    'token',
    'accessToken',
    'authorization',
    'cookie',
    'secret',
    'password',
    'key',
    'text',
    'quote',
    'payload',
    'body',
    'headers',
    'auth',
  ])('in a field named %s are not written, up to two levels down', (name) => {
    const { line } = logged((log) => log.info({ [name]: 'hush', a: { [name]: 'hush', b: { [name]: 'hush' } } }, 'words'));
    expect(line).not.toContain('hush');
  });

  it('that an error quotes, or carries beside its message, are not written; its name and place are', () => {
    const error = Object.assign(new TypeError('cannot read "hush" of {"hush":1}'), { input: 'hush', config: { headers: 'hush' } });
    const { line, fields } = logged((log) => log.error({ err: error }, 'words'));
    expect(line).not.toContain('hush');
    expect(fields['err']).toMatchObject({
      name: 'TypeError',
      msg: expect.stringContaining('cannot read'),
      stack: expect.stringContaining('at '),
    });
  });
});
