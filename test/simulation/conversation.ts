/**
 * Conversation: what a client asks for next.
 */
import type { RoomWrite } from '../../actors/room-fold.ts';
import type { UserId } from '../../system/ids.ts';
import type { Random } from './random.ts';

/** `seen`: seqs of messages it was shown; it points at one of them, and now and then at whatever number. */
export function compose(random: Random, text: string, seen: readonly number[], others: readonly UserId[]): RoomWrite {
  const target = seen.length > 0 && !random.chance(0.05) ? random.pick(seen) : random.int(1, 30);
  const roll = random.int(1, 100);
  if (roll <= 55) return { type: 'send', text };
  if (roll <= 62) return { type: 'send', text, replyTo: target };
  if (roll <= 70) return { type: 'modify', target, text };
  if (roll <= 75) return { type: 'delete', target };
  if (roll <= 80) return { type: 'react', target, emoji: '+', on: random.chance(0.7) };
  if (roll <= 86) return { type: 'kick', user: random.pick(others) };
  if (roll <= 93) return { type: 'invite', user: random.pick(others) };
  return roll <= 97 ? { type: 'join' } : { type: 'leave' };
}
