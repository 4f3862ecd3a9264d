/**
 * Docs: rewrites the generated tables of README.md; `npm run docs`.
 *
 * Owns: the text between the markers `config` and `errors`. Leaves every other line as it is.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDocs, markdownTable, replaceBetweenMarkers } from '../config/docs.ts';
import { closeTable, errorTable } from './errors.ts';

export function renderReadme(readme: string): string {
  return replaceBetweenMarkers(replaceBetweenMarkers(readme, 'config', configDocs()), 'errors', errorDocs());
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
