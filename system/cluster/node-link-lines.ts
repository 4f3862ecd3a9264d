/**
 * Node link lines: what two nodes say on their connection, and how each line shows that it is theirs.
 *
 * asker `hello {v, node, inc, to, nonce}` → `hello {v, node, inc, nonce, mac}` → asker `auth {mac}` → `o`; sealed lines only from then on.
 * Each side proves the cluster's secret over both nonces and its own role and name, so no proof is of use anywhere else, nor to whoever
 * passes it on. After that every line carries a MAC over its number, by a key of this connection and direction: a line that was put in,
 * changed, repeated or left out is found. Nothing is encrypted; that is the network's part.
 * Sealed: `q<id> text` question, `p` ping; in answer `a<id> text`, `n<id>` there will be none, `o` pong.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { idPattern } from '../ids.ts';
import { isProof, proofOf } from '../state/state-proof.ts';

export interface LinkIdentity {
  readonly node: string;
  readonly inc: string;
}

/** Of the side that opened the connection, and of the one that accepted it. */
export interface Nonces {
  readonly asker: string;
  readonly answerer: string;
}
export type LinkRole = keyof Nonces;

const name = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\s\p{Cc}]+$/u);
const nonce = z.string().regex(idPattern);
const mac = z.string().max(64);
const helloLine = z.strictObject({ type: z.literal('hello'), v: z.literal(1), node: name, inc: name, to: name, nonce });
const welcomeLine = z.strictObject({ type: z.literal('hello'), v: z.literal(1), node: name, inc: name, nonce, mac });
const authLine = z.strictObject({ type: z.literal('auth'), mac });
const refusedLine = z.strictObject({ type: z.literal('refused'), why: z.string().max(200) });
const askerLine = z.union([helloLine, authLine]);
const answererLine = z.union([welcomeLine, refusedLine]);

export type AskerLine = z.infer<typeof askerLine>;
export type AnswererLine = z.infer<typeof answererLine>;

export const decodeAskerLine = (text: string): AskerLine | undefined => decode(askerLine, text);
export const decodeAnswererLine = (text: string): AnswererLine | undefined => decode(answererLine, text);

function decode<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const claim = (role: LinkRole, { asker, answerer }: Nonces, { node, inc }: LinkIdentity) => ({
  nonce: `node-link ${role} ${asker} ${answerer}`,
  node,
  inc,
});

export const proveLink = (secret: string, role: LinkRole, nonces: Nonces, self: LinkIdentity): string =>
  proofOf(secret, claim(role, nonces, self));
export const isLinkProof = (given: string, secret: string, role: LinkRole, nonces: Nonces, other: LinkIdentity): boolean =>
  isProof(given, secret, claim(role, nonces, other));

/** 128 bits. */
const macChars = 22;

/** One direction of one connection: seals lines where they are said, opens them where they are heard; in order. */
export class LineSeal {
  readonly #key: Buffer;
  #count = 0;

  /** `role`: who speaks. */
  constructor(secret: string, role: LinkRole, { asker, answerer }: Nonces) {
    this.#key = createHmac('sha256', secret).update(`node-link key ${role} ${asker} ${answerer}`).digest();
  }

  seal(body: string): string {
    return this.#next(body) + body;
  }

  /** undefined: it is not the next line of the one who knows the key; the connection is of no use any more. */
  open(line: string): string | undefined {
    const body = line.slice(macChars);
    const given = Buffer.from(line.slice(0, macChars));
    const expected = Buffer.from(this.#next(body));
    return given.length === expected.length && timingSafeEqual(given, expected) ? body : undefined;
  }

  #next(body: string): string {
    this.#count += 1;
    return createHmac('sha256', this.#key).update(`${this.#count}\n${body}`).digest('base64url').slice(0, macChars);
  }
}

export type SealedLine =
  | { readonly type: 'question' | 'answer'; readonly id: number; readonly text: string }
  | { readonly type: 'none'; readonly id: number }
  | { readonly type: 'ping' | 'pong' };

export function encodeSealed(line: SealedLine): string {
  switch (line.type) {
    case 'question':
      return `q${line.id} ${line.text}`;
    case 'answer':
      return `a${line.id} ${line.text}`;
    case 'none':
      return `n${line.id}`;
    case 'ping':
      return 'p';
    case 'pong':
      return 'o';
  }
}

export function decodeSealed(body: string): SealedLine | undefined {
  if (body === 'p') return { type: 'ping' };
  if (body === 'o') return { type: 'pong' };
  const found = /^([qan])([1-9][0-9]{0,14})(?: |$)/.exec(body);
  if (!found) return undefined;
  const [head, kind] = found;
  const id = Number(found[2]);
  if (kind === 'n') return head.length === body.length ? { type: 'none', id } : undefined;
  return { type: kind === 'q' ? 'question' : 'answer', id, text: body.slice(head.length) };
}
