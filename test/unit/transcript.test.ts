/**
 * Transcripts: every line checked, and ids that never mix two people up.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idPattern } from '../../system/ids.ts';
import { parseTranscript, readTranscript, roomIdOf, userIdOf } from '../replay/transcript.ts';

const folder = new URL('../support/transcripts/', import.meta.url);
const line = (fields: object): string => JSON.stringify({ t: 0, user: 'a', kind: 'message', text: 'x', ...fields });

describe('transcript', () => {
  it('reads the real ones', async () => {
    const { name, lines } = await readTranscript(new URL('ubuntu-2004-11-15_03.jsonl.gz', folder).pathname);
    expect(name).toBe('ubuntu-2004-11-15_03');
    expect(lines.length).toBe(1_227);
    expect(lines[0]).toEqual({ t: 0, user: '|trey|', kind: 'message', text: 'usual, quite stable though  :)' });
    expect(readFileSync(new URL('README.md', folder), 'utf8')).toMatch(/CC BY 4\.0[\s\S]*Changed:/);
  });

  it('takes the first lines only when asked to', () => {
    const text = `${line({})}\n${line({ t: 1 })}\n${line({ t: 2 })}\n`;
    expect(parseTranscript('x', text, 2).lines.length).toBe(2);
    expect(parseTranscript('x', text).lines.length).toBe(3);
  });

  it.each([
    ['not JSON', '{', 'is not JSON'],
    ['no object', '3', 'is not an object'],
    ['a time that goes back', line({ t: -1 }), 't must be'],
    ['no nick', line({ user: '' }), 'user must be'],
    ['an unknown kind', line({ kind: 'dance' }), 'kind must be'],
    ['an empty text', line({ text: '' }), 'text must not'],
    ['an answer to itself', line({ kind: 'reply', replyTo: 1 }), 'earlier line'],
    ['an answer to nothing', line({ kind: 'reply' }), 'earlier line'],
    ['a nick change to nothing', line({ kind: 'nick' }), 'to must be'],
  ])('names file and line of %s', (_, bad, what) => {
    expect(() => parseTranscript('x', `${line({})}\n${bad}`)).toThrow(`x line 2: `);
    expect(() => parseTranscript('x', `${line({})}\n${bad}`)).toThrow(what);
  });

  it('gives every nick an id of its own that fits the pattern', () => {
    const nick = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '_', '7', 'c', '|', '^', 'é', '語', '😀', ' ', 'g', 'r'), minLength: 1, maxLength: 24 }),
      fc.string({ unit: fc.constantFrom('_', '7', 'c', '|'), minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(nick, nick, fc.constantFrom('_rab12', '_g1_rab12'), fc.constantFrom('_rab12', '_g1_rab12'), (a, b, one, other) => {
        const first = userIdOf(a, one);
        expect(first).toMatch(idPattern);
        if (a !== b || one !== other) expect(first).not.toBe(userIdOf(b, other));
      }),
      { numRuns: 300 },
    );
    expect(userIdOf('|trey|', '_rx')).toBe('_7ctrey_7c_rx');
    expect(userIdOf('_7c', '_rx')).not.toBe(userIdOf('|', '_rx'));
  });

  it('makes room ids that fit the pattern, whatever the file is called', () => {
    expect(roomIdOf('ubuntu-2004-11-15_03', 'r1')).toBe('ubuntu-2004-11-15_03-r1');
    expect(roomIdOf(`${'ä. /'.repeat(40)}`, 'run12345')).toMatch(idPattern);
  });
});
