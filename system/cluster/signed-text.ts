/**
 * SignedText: what nodes leave for each other in a place where others may write too.
 *
 * Guarantees: with a secret, a text is opened only where it was sealed for the same use and the same name: it cannot be moved to
 * another key. What is forged, malformed or of another shape is counted, logged once for each use, and is `undefined` for the caller.
 * Without a secret anybody's text of the right shape is taken: then it may be no more than a hint.
 * Does not: tell an old text from a new one, or hide what it says.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { z } from 'zod';
import type { Logger } from '../logger.ts';

/** What a text is for; part of what is signed. */
export type SealedUse = 'node' | 'claim' | 'revocation' | 'cache' | 'session';

/** Longer ones are nobody's of ours, except where a use says otherwise. */
const charsMax = 65_536;
const macChars = 43;

export interface SignedTextOptions {
  readonly secret: string | undefined;
  readonly log: Logger;
}

export class SignedText {
  readonly #options: SignedTextOptions;
  readonly #bad = new Map<SealedUse, number>();

  constructor(options: SignedTextOptions) {
    this.#options = options;
  }

  get hasSecret(): boolean {
    return this.#options.secret !== undefined;
  }

  /** Refused texts by use, for metrics. */
  get bad(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#bad);
  }

  /** `name`: where it will stand, such as a key. */
  seal(use: SealedUse, name: string, value: unknown): string {
    const body = JSON.stringify(value);
    return `${this.#macOf(use, name, body)}${body}`;
  }

  open<T>(use: SealedUse, name: string, text: unknown, schema: z.ZodType<T>, charsMaxHere = charsMax): T | undefined {
    const value = this.#read(use, name, text, schema, charsMaxHere);
    if (value === undefined) this.#tell(use);
    return value;
  }

  #read<T>(use: SealedUse, name: string, text: unknown, schema: z.ZodType<T>, charsMaxHere: number): T | undefined {
    if (typeof text !== 'string' || text.length > charsMaxHere || text.length <= macChars) return undefined;
    const body = text.slice(macChars);
    if (this.hasSecret) {
      const expected = Buffer.from(this.#macOf(use, name, body));
      const given = Buffer.from(text.slice(0, macChars));
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    }
    try {
      const parsed = schema.safeParse(JSON.parse(body));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }

  #macOf(use: SealedUse, name: string, body: string): string {
    const { secret } = this.#options;
    if (secret === undefined) return '-'.repeat(macChars);
    // The length of the name keeps two pairs of name and body from reading the same.
    return createHmac('sha256', secret).update(`${use}\n${name.length}\n${name}\n${body}`).digest('base64url');
  }

  #tell(use: SealedUse): void {
    const before = this.#bad.get(use) ?? 0;
    this.#bad.set(use, before + 1);
    if (before > 0) return;
    this.#options.log.warn(
      { ev: 'redis.bad', use },
      `a value for "${use}" in Redis is forged or malformed and is ignored; further ones are only counted`,
    );
  }
}
