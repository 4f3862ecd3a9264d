/** HTTP range: what a GET that asks for a part gets, as RFC 9110 has it. */
import { describe, expect, it } from 'vitest';
import { type RangeHeaders, rangeOf } from '../../gateway/http-range.ts';

const etag = '"abc"';
const of = (range: string, more: Partial<RangeHeaders> = {}) => rangeOf({ range, ...more }, { bytes: 100, etag });

describe('a range', () => {
  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=0-', 0, 99],
    ['bytes=99-', 99, 99],
    ['bytes=10-19', 10, 19],
    ['bytes=10-1000', 10, 99],
    ['Bytes=5-6', 5, 6],
    ['bytes= 5-6 ', 5, 6],
    ['bytes=-1', 99, 99],
    ['bytes=-100', 0, 99],
    ['bytes=-5000', 0, 99],
    ['bytes=000-0001', 0, 1],
  ])('%s of 100 bytes is from %i to %i', (range, first, last) => {
    expect(of(range)).toEqual({ first, last });
  });

  it.each(['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=999999999999999-'])('%s has no byte of the file', (range) => {
    expect(of(range)).toBe('unsatisfiable');
  });

  it.each([
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-4',
    'bytes=0-1,5-6',
    'items=0-1',
    'bytes=1.5-2',
    'bytes=9999999999999999-',
    'bytes=--5',
  ])('%s is not understood: the whole file', (range) => {
    expect(of(range)).toBeUndefined();
  });

  it('counts only for the very version it has a part of', () => {
    expect(of('bytes=1-2', { 'if-range': etag })).toEqual({ first: 1, last: 2 });
    for (const other of ['"abd"', `W/${etag}`, 'abc', '', 'Tue, 24 Nov 2026 14:00:00 GMT', [etag, etag]]) {
      expect(of('bytes=1-2', { 'if-range': other }), String(other)).toBeUndefined();
      expect(of('bytes=100-', { 'if-range': other }), String(other)).toBeUndefined();
    }
  });
});
