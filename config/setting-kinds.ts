/**
 * Setting kinds: what a setting is, and the kinds of value one can have.
 *
 * Each kind judges one value on its own; rules between settings are in checks.ts.
 * Does not: read the environment or any file.
 */
import { isIP } from 'node:net';
import { z } from 'zod';

export interface Setting<T> {
  /** Turns the text of the environment into the value, or fails. */
  readonly schema: z.ZodType<T, string>;
  readonly default: T;
  /** How the default is shown, where the value itself would not say it. */
  readonly defaultText?: string;
  readonly unit?: Unit;
  /** Completes the sentence "must be …". */
  readonly rule: string;
  readonly description: string;
  /** Never printed, and can be given as a file: `<name>_FILE` holds a path. */
  readonly isSecret?: true;
}

export type Unit =
  | 'milliseconds'
  | 'seconds'
  | 'bytes'
  | 'bytes per day'
  | 'frames'
  | 'entries'
  | 'commands'
  | 'rooms'
  | 'connections'
  | 'users'
  | 'commands per second'
  | 'handshakes'
  | 'handshakes per second'
  | 'bad tokens'
  | 'bad tokens per second';

export interface About {
  readonly description: string;
  readonly defaultText?: string;
}

export function integer(
  about: About & { readonly unit?: Unit; readonly default: number; readonly min: number; readonly max: number },
): Setting<number> {
  const { min, max, ...rest } = about;
  const schema = z
    .string()
    .regex(/^(0|[1-9]\d{0,14})$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
  return { ...rest, schema, rule: `a whole number from ${min} to ${max}` };
}

export function choice<const T extends string>(about: About & { readonly default: T; readonly of: readonly [T, ...T[]] }): Setting<T> {
  const { of, ...rest } = about;
  return { ...rest, schema: z.string().pipe(z.enum(of)) as unknown as z.ZodType<T, string>, rule: `one of ${of.join(', ')}` };
}

/** A flag; undefined means "decided by the circumstances", as `defaultText` says. */
export function flag(about: About & { readonly defaultText: string }): Setting<boolean | undefined> {
  const schema = z.enum(['true', 'false']).transform((value) => value === 'true');
  return { ...about, schema: schema as unknown as z.ZodType<boolean | undefined, string>, default: undefined, rule: 'true or false' };
}

export interface TextRule {
  readonly rule: string;
  readonly accepts: (value: string) => boolean;
}

export function text(about: About & TextRule & { readonly default: string }): Setting<string> {
  const { accepts, ...rest } = about;
  return { ...rest, schema: z.string().refine(accepts) };
}

export function optionalText(about: About & TextRule & { readonly isSecret?: true }): Setting<string | undefined> {
  const { accepts, ...rest } = about;
  return { ...rest, schema: z.string().refine(accepts), default: undefined };
}

/** A comma list; blanks around the entries are ignored, an empty value is the empty list. */
export function list(about: About & TextRule): Setting<readonly string[]> {
  const { accepts, ...rest } = about;
  const schema = z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )
    .refine((entries) => entries.every(accepts));
  return { ...rest, schema, default: [] };
}

export const isHost = (value: string): boolean =>
  isIP(value) !== 0 || (/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(value) && !/^[\d.]+$/.test(value) && value.length <= 253);
/** A host and a port, an IPv6 address in brackets. */
export function isAddress(value: string): boolean {
  const [, v6, name, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):([1-9]\d{0,4})$/.exec(value) ?? [];
  return (v6 === undefined ? isHost(name ?? '') : isIP(v6) === 6) && Number(port) <= 65_535;
}
/** Where calls go: a query, a fragment or a user in it would be lost or shown. */
export function isServiceUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s?#@\\]+$/.test(value) || value.length > 2_048 || !URL.canParse(value)) return false;
  return new URL(value).host !== '';
}
export const isPath = (value: string): boolean => value.trim() !== '' && !value.includes('\0');
export const isPrintable = (value: string): boolean => /^[\x21-\x7e]{1,256}$/.test(value);

/** Exactly what a browser sends in `Origin`: no path, no wildcard, the default port left out. */
export function isOrigin(value: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(value) || !URL.canParse(value)) return false;
  return new URL(value).origin === value;
}

/** An address, or one with the number of bits that name its network. */
export function isNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return false;
  return bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

export const secretBytesMin = 32;

export const pathRule = { rule: 'a path', accepts: isPath } as const;
export const claimRule = { rule: '1 to 256 printable characters without blanks', accepts: isPrintable } as const;
