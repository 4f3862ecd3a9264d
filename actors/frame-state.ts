/**
 * Frames: which entries go to a reader in one piece. Pure.
 *
 * Bounded by text, wherever the entries come from: a frame larger than a connection's bound passes only when nothing else waits
 * for it, and one far larger would have the connection cut for good, resume after resume.
 */
import type { Entry } from '../system/store/entry.ts';

/** Bytes of text in one frame or answer, an entry's text taken for three bytes a character; a longer range goes in several. */
const frameTextBytesMax = 256 * 1024;

/** The longest prefix whose texts fit into one frame, at least one entry. */
export function firstFrame(entries: readonly Entry[]): readonly Entry[] {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += 3 * (entry.text?.length ?? 0);
    if (bytes > frameTextBytesMax && index > 0) return entries.slice(0, index);
  }
  return entries;
}

/** All of the entries, in frames. */
export function framesOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const frames: (readonly Entry[])[] = [];
  for (let rest = entries; rest.length > 0; ) {
    const frame = firstFrame(rest);
    frames.push(frame);
    rest = frame.length === rest.length ? [] : rest.slice(frame.length);
  }
  return frames;
}
