/**
 * Docs: the generated tables of README.md say what the code says.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { markdownTable, replaceBetweenMarkers } from '../../config/docs.ts';
import { fields, variableOf } from '../../config/schema.ts';
import { renderReadme, renderRecordSchema, renderWireReadme } from '../../system/docs.ts';
import { closeTable, errorTable } from '../../system/errors.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

describe('README.md', () => {
  it('is up to date (if not: npm run docs)', () => {
    expect(renderReadme(readme)).toBe(readme);
  });

  it('of the wire is up to date (if not: npm run docs)', () => {
    const document = readFileSync(new URL('../../system/wire/README.md', import.meta.url), 'utf8');
    expect(renderWireReadme(document)).toBe(document);
    const schema = readFileSync(new URL('../../system/wire/record.schema.json', import.meta.url), 'utf8');
    expect(renderRecordSchema()).toBe(schema);
  });

  it('has a row for every setting and every code', () => {
    const rendered = renderReadme(readme);
    const rows = [...fields.map(variableOf), ...Object.keys(errorTable), ...Object.keys(closeTable)];
    expect(rows.filter((name) => !rendered.includes(`\n| \`${name}\``))).toEqual([]);
  });
});

describe('markers', () => {
  it('keep what stands around them and lose what stood between', () => {
    const once = replaceBetweenMarkers('a\n<!-- x:begin -->\nold $& text\n<!-- x:end -->\nb\n', 'x', 'new $& text');
    expect(once).toBe('a\n<!-- x:begin -->\nnew $& text\n<!-- x:end -->\nb\n');
    expect(replaceBetweenMarkers(once, 'x', 'new $& text')).toBe(once);
  });

  it.each(['', '<!-- x:begin -->', '<!-- x:end --><!-- x:begin -->', '<!-- x:begin --><!-- x:end --><!-- x:begin --><!-- x:end -->'])(
    'that are missing, turned round or doubled are refused: %s',
    (document) => {
      expect(() => replaceBetweenMarkers(document, 'x', '')).toThrow('once each');
    },
  );

  it('a bar inside a cell does not end the cell', () => {
    expect(markdownTable(['a'], [['b|c']])).toBe('| a |\n| --- |\n| b\\|c |');
  });
});
