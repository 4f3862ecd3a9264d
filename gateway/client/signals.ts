/**
 * Signals: events beside the entries of open rooms, checked. Pure. What is not as the protocol says is no event.
 */
import type { ServerEvents } from '../client-protocol.ts';

export type ReadSignal = ServerEvents['read'];
export type VoiceSignal = ServerEvents['voice'];
export type HeadSignal = ServerEvents['room:head'];

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {});

export function toRead(payload: unknown): ReadSignal | undefined {
  const { room, marks } = fieldsOf(payload);
  if (typeof room !== 'string' || !Array.isArray(marks)) return undefined;
  const sound = marks.flatMap((mark) => {
    const { user, seq, n } = fieldsOf(mark);
    return typeof user === 'string' && isCount(seq) && isCount(n) ? [{ user, seq, n }] : [];
  });
  return sound.length > 0 ? { room, marks: sound } : undefined;
}

export function toHead(payload: unknown): HeadSignal | undefined {
  const { room, head, n } = fieldsOf(payload);
  return typeof room === 'string' && isCount(head) && isCount(n) ? { room, head, n } : undefined;
}

export function toVoice(payload: unknown): VoiceSignal | undefined {
  const { community, channels, complete } = fieldsOf(payload);
  if (typeof community !== 'string' || typeof channels !== 'object' || channels === null || typeof complete !== 'boolean') return undefined;
  const sound = Object.entries(channels).filter(
    (pair): pair is [string, string[]] => Array.isArray(pair[1]) && pair[1].every((user) => typeof user === 'string'),
  );
  return { community, channels: Object.fromEntries(sound), complete };
}
