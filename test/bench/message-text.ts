/**
 * MessageText: what the senders of every benchmark say: 80 to 200 bytes, the same for all arms.
 */
import { Random } from '../simulation/random.ts';

const bytesMin = 80;
const bytesMax = 200;
const words = 'the quick brown fox jumps over a lazy dog while zoe drinks strong coffee and sings along; ';

const random = new Random(1);
const texts = Array.from({ length: 256 }, () => words.repeat(3).slice(0, random.int(bytesMin, bytesMax)));

export const textOf = (index: number): string => texts[index % texts.length] as string;
/** A text of the same lengths that begins with a time, for measuring latency where it arrives. */
export function timedText(index: number, sentAtMs: number): string {
  const time = `${sentAtMs.toFixed(2)} `;
  return time + textOf(index).slice(time.length);
}
