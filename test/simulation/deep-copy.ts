/**
 * DeepCopy: copies of a whole room state, for the exhaustive search, which goes back to earlier states; and their fingerprint.
 */

/**
 * Objects met twice stay one object. What never changes is shared: entries, commands, and a machine inside something
 * else (whoever feeds it copies it first).
 */
export function deepCopy<T>(value: T, known = new Map<object, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value;
  if (known.size > 0 && 'handle' in value) return value;
  const done = known.get(value);
  if (done !== undefined) return done as T;
  if ('cid' in value) return value;
  let copy: unknown;
  if (value instanceof Map) {
    const map = new Map<unknown, unknown>();
    known.set(value, map);
    for (const [key, inner] of value as Map<unknown, unknown>) map.set(key, deepCopy(inner, known));
    copy = map;
  } else if (value instanceof Set) {
    copy = new Set(value as Set<unknown>);
    known.set(value, copy);
  } else {
    const target = (Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value) as object)) as Record<string, unknown>;
    known.set(value, target);
    for (const key of Object.keys(value)) target[key] = deepCopy((value as Record<string, unknown>)[key], known);
    copy = target;
  }
  return copy as T;
}

/** Counters decide nothing; these times only say how long a rest is, which the model takes to be any length. */
const idle = ['counters', 'settings', 'out', 'unknownsInARow', 'appendStartedMs', 'roundTripMs', 'untilMs'];
/** By these names the parts of a machine know each other; it holds each of them itself, by another name. */
const links = ['room', 'intake', 'forwarded'];
const ignored = new Set([...idle, ...links]);
const machinePrints = new WeakMap<object, string>();

/** What tells two states apart. */
export function fingerprint(value: object): string {
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if (ignored.has(key)) return undefined;
    if (typeof inner === 'object' && inner !== null && inner !== value && 'handle' in inner) {
      const known = machinePrints.get(inner) ?? fingerprint(inner);
      machinePrints.set(inner, known);
      return known;
    }
    if (inner instanceof Map) return [...inner];
    if (inner instanceof Set) return [...inner];
    if (typeof inner === 'object' && inner !== null && 'cid' in inner && 'seq' in inner)
      return `${String(inner.seq)}/${String(inner.cid)}/${String((inner as { writer?: string }).writer)}`;
    return inner;
  });
  let a = 0x811c9dc5;
  let b = 0x12345678;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 13);
  }
  return `${a >>> 0}.${b >>> 0}`;
}
