/**
 * Bounds row: what the tables of bounds are made of.
 */
import { type Field, settings, variableOf } from '../config/schema.ts';
import type { MetricName } from './metric-table.ts';

export interface Bound {
  readonly bound: string;
  readonly whenFull: string;
  /** Where it is seen before it is full: a gauge, a counter of what was refused, or a log line. */
  readonly seenIn?: MetricName | `log: ${string}`;
}

export const count = (value: number, unit: string): string => `${value.toLocaleString('en')} ${unit}`;
export const kB = (bytes: number): string =>
  bytes % 1_024 === 0 ? `${(bytes / 1_024).toLocaleString('en')} KiB` : `${(bytes / 1_000).toLocaleString('en')} kB`;
export const setting = (field: Field): string => `\`${variableOf(field)}\` (${Number(settings[field].default).toLocaleString('en')})`;
