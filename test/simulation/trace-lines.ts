/**
 * TraceLines: an input or effect of a room in one short line.
 */
import type { RoomEffect, RoomInput } from '../../actors/room-protocol.ts';
import type { Entry } from '../../system/store/entry.ts';

export function show(value: RoomInput | RoomEffect): string {
  const { type, ...rest } = value;
  const text = JSON.stringify(rest, (key, inner: unknown) => {
    if (key === 'entries' || key === 'found' || key === 'controls') {
      return (inner as Entry[]).map((entry) => `${entry.seq}:${entry.by}/${entry.cid}`).join(' ');
    }
    if (key === 'entry') return `${(inner as Entry).seq}`;
    return key === 'message' ? undefined : inner;
  });
  return `${type} ${text.replaceAll('"', '')}`;
}
