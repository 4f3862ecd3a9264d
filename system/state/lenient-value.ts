/**
 * Lenient value: reads JSON, and what older services write for it: `{type='login', 'user_id' => 1, ids=[2, 3]}`. Pure.
 *
 * Keys with or without quotes; `:`, `=` or `=>` between key and value; single or double quotes; words without quotes.
 * Guarantees: never throws; linear in the length of the text; depth bounded; keys go into a Map, so none of them pollutes anything.
 * Does not: tell numbers, words and texts apart: each is its text, `null` and `true` too. Who reads a field knows what it should be.
 */
export type LenientValue = string | readonly LenientValue[] | ReadonlyMap<string, LenientValue>;

export type LenientResult = { readonly ok: true; readonly value: LenientValue } | { readonly ok: false; readonly reason: string };

/** Objects and lists in one another. Deeper: no value. Requests need two. */
export const depthMax = 8;

export function readLenient(text: string): LenientResult {
  try {
    return { ok: true, value: new Reader(text).whole() };
  } catch (error) {
    if (error instanceof Mistake) return { ok: false, reason: error.message };
    throw error;
  }
}

class Mistake extends Error {}

const escapes: ReadonlyMap<string, string> = new Map(Object.entries({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }));
const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\n' || char === '\r';
const endsWord = (char: string): boolean => isBlank(char) || '{}[],:;=\'"'.includes(char);

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): LenientValue {
    const value = this.#value(0);
    if (this.#peek() !== '') throw this.#mistake('nothing more');
    return value;
  }

  #value(depth: number): LenientValue {
    const char = this.#peek();
    if (char === '{' || char === '[') {
      if (depth === depthMax) throw this.#mistake(`at most ${depthMax} levels`);
      this.#at += 1;
      return char === '{' ? this.#object(depth + 1) : this.#list(depth + 1);
    }
    return this.#scalar();
  }

  #object(depth: number): LenientValue {
    const fields = new Map<string, LenientValue>();
    if (this.#take('}')) return fields;
    do {
      const key = this.#scalar();
      if (this.#take('=')) this.#takeNext('>');
      else if (!this.#take(':')) throw this.#mistake('a value of the key');
      fields.set(key, this.#value(depth));
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#mistake('the end of the object');
    return fields;
  }

  #list(depth: number): LenientValue {
    const values: LenientValue[] = [];
    if (this.#take(']')) return values;
    do values.push(this.#value(depth));
    while (this.#take(','));
    if (!this.#take(']')) throw this.#mistake('the end of the list');
    return values;
  }

  #scalar(): string {
    const char = this.#peek();
    if (char === "'" || char === '"') return this.#quoted(char);
    const from = this.#at;
    while (this.#at < this.#text.length && !endsWord(this.#text.charAt(this.#at))) this.#at += 1;
    if (this.#at === from) throw this.#mistake('a value');
    return this.#text.slice(from, this.#at);
  }

  #quoted(quote: string): string {
    this.#at += 1;
    let read = '';
    let from = this.#at;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text.charAt(this.#at);
      if (char === quote) {
        read += this.#text.slice(from, this.#at);
        this.#at += 1;
        return read;
      }
      if (char !== '\\') continue;
      read += this.#text.slice(from, this.#at) + this.#escaped();
      from = this.#at + 1;
    }
    throw this.#mistake('the end of the text');
  }

  /** Stands on the backslash, and then on the last character of the escape. */
  #escaped(): string {
    this.#at += 1;
    const char = this.#text.charAt(this.#at);
    if (char === 'u') {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#mistake('four hexadecimal digits');
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (char !== '' && '\'"\\/'.includes(char)) return char;
    const meant = escapes.get(char);
    if (meant === undefined) throw this.#mistake('a known escape');
    return meant;
  }

  /** The next character that is no blank; empty at the end. */
  #peek(): string {
    while (isBlank(this.#text.charAt(this.#at))) this.#at += 1;
    return this.#text.charAt(this.#at);
  }

  #take(char: string): boolean {
    return this.#peek() === char && this.#takeNext(char);
  }

  #takeNext(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at += 1;
    return true;
  }

  #mistake(expected: string): Mistake {
    return new Mistake(`expected ${expected} at character ${this.#at + 1}`);
  }
}
