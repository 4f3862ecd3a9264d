/**
 * Print: the effective configuration as an aligned table; as a program, `npm run config`.
 *
 * Guarantees: no secret, no part of one and no length of one is printed.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigError, type LoadedConfig, loadWithSources } from './load.ts';
import { type Field, fields, fileVariableOf, settings, variableOf } from './schema.ts';
import type { Setting } from './setting-kinds.ts';

export function printConfig(loaded: LoadedConfig): string {
  const rows = [['SETTING', 'VALUE', 'UNIT', 'FROM'], ...fields.map((field) => rowOf(loaded, field))];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function rowOf(loaded: LoadedConfig, field: Field): string[] {
  const setting: Setting<unknown> = settings[field];
  const source = loaded.sources[field];
  const name = source === 'file' ? fileVariableOf(field) : undefined;
  return [name ?? variableOf(field), shownValue(loaded, field), setting.unit ?? '', source];
}

function shownValue({ config, values }: LoadedConfig, field: Field): string {
  if (field === 'dev' || field === 'logPretty') return String(config[field]);
  if (field === 'jwtSecret' && config.jwt.kind === 'dev') return `(made at first start, kept in ${config.dataDir})`;
  const value: unknown = values[field];
  if (value === undefined) return '(not set)';
  const setting: Setting<unknown> = settings[field];
  if (setting.isSecret) return '(secret)';
  if (Array.isArray(value)) return value.length === 0 ? '(empty)' : value.join(',');
  return String(value);
}

function main(): void {
  try {
    process.stdout.write(`${printConfig(loadWithSources())}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
