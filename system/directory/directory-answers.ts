/**
 * DirectoryAnswers: the shapes in which the community service answers, and in which lists are kept in the shared cache. Strict.
 *
 * Guarantees: what is not exactly a list of ids is undefined, never a part of one; numbers are ids too, as the older service has them.
 */
import { isUserId, type UserId } from '../ids.ts';
import { listIdsMax, type Members, type OutsideRoom } from './directory.ts';

/** `{ result: { members: [1, "ada"] } }`. Further fields beside them are the service's own. */
export function decodeMembers(body: unknown): readonly UserId[] | undefined {
  const result = fieldOf(body, 'result');
  return idsOf(fieldOf(result, 'members'));
}

/** `["direct/1", "group/7", "community/3"]`. */
export function decodeRooms(body: unknown): readonly OutsideRoom[] | undefined {
  if (!Array.isArray(body) || body.length > listIdsMax) return undefined;
  const rooms: OutsideRoom[] = [];
  for (const topic of body as unknown[]) {
    const [, kind, id] = typeof topic === 'string' ? (/^(direct|group|community)\/([A-Za-z0-9_-]{1,64})$/.exec(topic) ?? []) : [];
    if (kind === undefined || id === undefined) return undefined;
    rooms.push({ kind: kind as OutsideRoom['kind'], id });
  }
  return rooms;
}

/** What is kept for other nodes. `at`: wall-clock milliseconds at which the service said so. */
export function encodeKept(members: readonly UserId[], at: number): string {
  return JSON.stringify({ v: 1, at, members });
}

/** undefined: not one of ours. Whoever can write to the cache can let people in: it belongs to the cluster alone. */
export function decodeKept(text: string): { readonly members: Members; readonly at: number } | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const at = fieldOf(body, 'at');
  const members = idsOf(fieldOf(body, 'members'));
  if (fieldOf(body, 'v') !== 1 || typeof at !== 'number' || !Number.isSafeInteger(at) || members === undefined) return undefined;
  return { members: { type: 'listed', members: new Set(members) }, at };
}

function idsOf(list: unknown): readonly UserId[] | undefined {
  if (!Array.isArray(list) || list.length > listIdsMax) return undefined;
  const ids: UserId[] = [];
  for (const item of list as unknown[]) {
    const id = typeof item === 'number' && Number.isSafeInteger(item) && item >= 0 ? String(item) : item;
    if (typeof id !== 'string' || !isUserId(id)) return undefined;
    ids.push(id);
  }
  return ids;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
