/**
 * NodeUrls: the nodes a client may use, as given on a command line, and which of them comes first.
 */

/** From `--url A --url B` or `--url A,B`. Throws with words for people. */
export function parseUrls(given: readonly string[], fallback: string): readonly string[] {
  const urls = [...new Set(given.flatMap((list) => list.split(',')).map((url) => url.trim()))].filter((url) => url !== '');
  const wrong = urls.find((url) => !/^https?:\/\/[^\s/]/.test(url) || !URL.canParse(url));
  if (wrong !== undefined) throw new Error(`--url must be a URL such as ${fallback}, or several with commas between`);
  return urls.length === 0 ? [fallback] : urls;
}

/** The same in a circle, beginning with that one: so that many who have the same list begin with different nodes. */
export function beginningWith<Each>(list: readonly Each[], index: number): readonly Each[] {
  const first = list.length === 0 ? 0 : index % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}
