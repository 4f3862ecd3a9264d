/**
 * Frames: which entries go to a reader in one piece. Pure.
 *
 * Bounded in bytes, wherever the entries come from: a frame larger than a connection's bound passes only when nothing else waits
 * for it, and one far larger would have the connection cut for good, resume after resume.
 */
import type { Entry } from '../system/store/entry.ts';

/** Bytes of one frame or answer, an entry's text taken for three bytes a character; a longer range goes in several. */
const frameBytesMax = 320 * 1024;
/** The same for one who is behind: when nothing waits for a connection one frame passes whatever its size, and is then held for it alone. */
export const catchUpFrameBytesMax = 36 * 1024;
/** Of an entry beside its text. */
const entryBytes = 150;

/** The longest prefix that fits into one frame, at least one entry. */
export function firstFrame(entries: readonly Entry[], bytesMax = frameBytesMax): readonly Entry[] {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += entryBytes + 3 * (entry.text?.length ?? 0);
    if (bytes > bytesMax && index > 0) return entries.slice(0, index);
  }
  return entries;
}

/** All of the entries, in frames. */
export function framesOf(entries: readonly Entry[], bytesMax = frameBytesMax): readonly (readonly Entry[])[] {
  const frames: (readonly Entry[])[] = [];
  for (let rest = entries; rest.length > 0; ) {
    const frame = firstFrame(rest, bytesMax);
    frames.push(frame);
    rest = frame.length === rest.length ? [] : rest.slice(frame.length);
  }
  return frames;
}
