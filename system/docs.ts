/**
 * Docs: rewrites the generated tables of README.md; `npm run docs`.
 *
 * Owns: the text between the markers in `tables`. Leaves every other line as it is.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDocs, markdownTable, replaceBetweenMarkers } from '../config/docs.ts';
import { type Bound, bounds } from './bounds.ts';
import { closeTable, errorTable } from './errors.ts';
import { type MetricRow, metricTable } from './metric-table.ts';
import { supervisionGuide } from './supervision-guide.ts';

const tables: Readonly<Record<string, () => string>> = {
  lines: lineDocs,
  metrics: metricDocs,
  bounds: boundDocs,
  config: configDocs,
  errors: errorDocs,
};

export function renderReadme(readme: string): string {
  return Object.entries(tables).reduce((text, [name, table]) => replaceBetweenMarkers(text, name, table()), readme);
}

function lineDocs(): string {
  const rows = Object.entries(supervisionGuide).map(([ev, { means, toDo, example }]) => {
    const { level: _level, time: _time, node: _node, inc: _inc, v: _v, cause, ...shown } = example;
    const line = JSON.stringify(cause ? { ...shown, cause: { name: cause.name, msg: cause.msg } } : shown);
    return [`\`${ev}\``, means, toDo, `\`${line}\``];
  });
  return markdownTable(['`ev`', 'Meaning', 'What to do', 'Example, without `level`, `time`, `node`, `inc`, `v`'], rows);
}

function metricDocs(): string {
  const rows = (Object.entries(metricTable) as [string, MetricRow][]).map(([name, { type, labels = [], meaning }]) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    meaning,
  ]);
  return markdownTable(['Metric', 'Type', 'Labels', 'Meaning'], rows);
}

function boundDocs(): string {
  const rows = (Object.entries(bounds) as [string, Bound][]).map(([name, { bound, whenFull, seenIn = '' }]) => {
    const line = seenIn.startsWith('log: ') ? `the line \`${seenIn.slice('log: '.length)}\`` : `\`${seenIn}\``;
    return [name, bound, whenFull, seenIn === '' ? '' : line];
  });
  return markdownTable(['What waits, or how large it may be', 'Bound', 'When it is full', 'Seen in'], rows);
}

function errorDocs(): string {
  const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
  const refusals = Object.entries(errorTable).map(([code, row]) => [`\`${code}\``, yesNo(row.retryable), row.meaning]);
  const closings = Object.entries(closeTable).map(([code, row]) => [`\`${code}\``, yesNo(row.reconnect), row.meaning]);
  return [
    'In an answer (`error.code`) or a refused handshake (`err.data.code`):',
    '',
    markdownTable(['Code', 'Retryable', 'Meaning'], refusals),
    '',
    'In `closing`, before the server disconnects:',
    '',
    markdownTable(['Code', 'Come back', 'Meaning'], closings),
  ].join('\n');
}

function main(): void {
  const before = readFileSync('README.md', 'utf8');
  const after = renderReadme(before);
  if (after !== before) writeFileSync('README.md', after);
  process.stdout.write(after === before ? 'README.md was up to date\n' : 'README.md rewritten\n');
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
