/**
 * Payload guard: the first thing that touches what a client sent.
 *
 * Guarantees: what passed is a tree of plain JSON values with depth ≤ 8, ≤ 512 values and no key that could reach a
 * prototype; work and stack are bounded whatever came in.
 * Does not: know commands. (10,000 nested arrays fit 20 kB, parse well, and throw "Maximum call stack" when encoded again.)
 */
import { type Refusal, refuse } from '../system/errors.ts';
import { idPattern } from '../system/ids.ts';
import { quoted } from './command-decoder.ts';

/** Deepest command of ours: 2. Deeper than this: INVALID. */
export const depthMax = 8;
/** Largest command of ours: 100 members and 6 fields. More values (of arrays and objects together): INVALID. */
export const valuesMax = 512;

const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** undefined: it passed. Field names in refusals are paths, such as `payload.members.3`. */
export function guardPayload(payload: unknown): Refusal | undefined {
  return visit(payload, 'payload', 1, { left: valuesMax });
}

function visit(value: unknown, path: string, depth: number, budget: { left: number }): Refusal | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // Before keys are listed: a binary attachment of 64 kB has 64,000 of them.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return refuse('INVALID', `${path} must not be binary`);
  if (depth > depthMax) return refuse('INVALID', `${path} is nested deeper than ${depthMax}`);
  if (Array.isArray(value)) {
    budget.left -= value.length;
    if (budget.left < 0) return tooMany(path);
    for (let at = 0; at < value.length; at++) {
      const refusal = visit(value[at], `${path}.${at}`, depth + 1, budget);
      if (refusal) return refusal;
    }
    return undefined;
  }
  const keys = Object.keys(value);
  budget.left -= keys.length;
  if (budget.left < 0) return tooMany(path);
  for (const key of keys) {
    if (forbiddenKeys.has(key)) return refuse('INVALID', `unknown field ${quoted(key)} in ${path}`);
    const child: unknown = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof child !== 'object' || child === null) continue;
    const refusal = visit(child, `${path}.${idPattern.test(key) ? key : '?'}`, depth + 1, budget);
    if (refusal) return refusal;
  }
  return undefined;
}

const tooMany = (path: string): Refusal => refuse('INVALID', `${path} has more than ${valuesMax} values`);
