/**
 * Docs: the table of settings in Markdown, and how generated text gets between the markers of a document.
 *
 * Pure. The program that rewrites README.md is system/docs.ts, since it needs the error tables as well.
 */
import { type Field, fields, fileVariableOf, settings, variableOf } from './schema.ts';
import type { Setting } from './setting-kinds.ts';

export function configDocs(): string {
  return markdownTable(['Variable', 'Default', 'Unit', 'Allowed', 'Meaning'], fields.map(docsRow));
}

function docsRow(field: Field): string[] {
  const setting: Setting<unknown> = settings[field];
  const fileName = fileVariableOf(field);
  const name = `\`${variableOf(field)}\`${fileName === undefined ? '' : ` or \`${fileName}\``}`;
  const value = setting.defaultText ?? (setting.default === undefined ? 'not set' : `\`${String(setting.default)}\``);
  return [name, value, setting.unit ?? '', setting.rule, setting.description];
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`. Throws when the markers are not there once each, in order. */
export function replaceBetweenMarkers(document: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, middle, ...tooMany] = document.split(begin);
  const [, after, ...tooManyEnds] = (middle ?? '').split(end);
  if (before === undefined || after === undefined || tooMany.length > 0 || tooManyEnds.length > 0) {
    throw new Error(`the document must have "${begin}" and then "${end}", once each`);
  }
  return `${before}${begin}\n${text}\n${end}${after}`;
}
