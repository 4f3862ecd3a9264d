/**
 * MessageText: what the senders of every benchmark say: 80 to 200 bytes, the same for all arms.
 */
import { Random } from '../simulation/random.ts';

const bytesMin = 80;
const bytesMax = 200;
const random = new Random(1);

/** Words that do not repeat, so that a store's compression gains no more than it would from people's talk. */
const word = (): string => Array.from({ length: random.int(2, 9) }, () => random.pick([...'eeeaaiioouttnnssrrhldcmfpgwybvk'])).join('');
const makeText = (bytes: number): string => Array.from({ length: 100 }, word).join(' ').slice(0, bytes);
const texts = Array.from({ length: 1_024 }, () => makeText(random.int(bytesMin, bytesMax)));

export const textOf = (index: number): string => texts[index % texts.length] as string;

/** A text of the same lengths that begins with a time, for measuring latency where it arrives. */
export function timedText(index: number, sentAtMs: number): string {
  const time = `${sentAtMs.toFixed(2)} `;
  return time + textOf(index).slice(time.length);
}
