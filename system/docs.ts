/**
 * Docs: rewrites the generated parts of README.md and system/wire/README.md, and the schema beside it; `npm run docs`.
 *
 * Owns: the text between the markers, and the whole schema. Leaves every other line as it is.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDocs, markdownTable, replaceBetweenMarkers } from '../config/docs.ts';
import { bounds } from './bounds.ts';
import type { Bound } from './bounds-row.ts';
import { closeTable, errorTable } from './errors.ts';
import { type MetricRow, metricTable } from './metric-table.ts';
import { supervisionGuide } from './supervision-guide.ts';
import { recordSchema } from './wire/event-record.ts';
import { contentsOfTopics, groupsOfTopics, topicNames } from './wire/topics.ts';

const tables: Readonly<Record<string, () => string>> = {
  lines: lineDocs,
  metrics: metricDocs,
  bounds: boundDocs,
  config: configDocs,
  errors: errorDocs,
};

const wireParts: Readonly<Record<string, () => string>> = { topics: topicDocs };

const render = (document: string, parts: Readonly<Record<string, () => string>>): string =>
  Object.entries(parts).reduce((text, [name, part]) => replaceBetweenMarkers(text, name, part()), document);

export const renderReadme = (readme: string): string => render(readme, tables);
export const renderWireReadme = (readme: string): string => render(readme, wireParts);

function topicDocs(): string {
  const rows = topicNames.map((topic) => [`\`${topic}\``, contentsOfTopics[topic], `\`${groupsOfTopics[topic]}-<node>-<boot>\``]);
  return markdownTable(['Topic', 'Carries', "A node's consumer group"], rows);
}

export const renderRecordSchema = (): string => `${JSON.stringify(recordSchema(), null, 2)}\n`;

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
  // Whoever reads what is said may have read enough (`npm run docs | head`): the files are written all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  rewrite('README.md', renderReadme);
  rewrite('system/wire/README.md', renderWireReadme);
  rewrite('system/wire/record.schema.json', renderRecordSchema);
}

function rewrite(file: string, render: (document: string) => string): void {
  const before = readFileSync(file, 'utf8');
  const after = render(before);
  if (after !== before) writeFileSync(file, after);
  process.stdout.write(after === before ? `${file} was up to date\n` : `${file} rewritten\n`);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
