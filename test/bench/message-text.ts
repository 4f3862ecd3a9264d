/**
 * MessageText: what the senders of every benchmark say: 80 to 200 bytes, the same for all arms.
 */
import { Random } from '../simulation/random.ts';

const bytesMin = 80;
const bytesMax = 200;
const random = new Random(1);

const letters = 'eeeaaiioouttnnssrrhldcmfpgwybvk';

/** Words that do not repeat, so that a store's compression gains no more than it would from people's talk. */
function makeText(bytes: number): string {
  let text = '';
  for (let left = random.int(2, 9); text.length < bytes; left -= 1) {
    if (left > 0) text += letters.charAt(random.int(0, letters.length - 1));
    else {
      text += ' ';
      left = random.int(2, 9) + 1;
    }
  }
  return text;
}

const texts = Array.from({ length: 512 }, () => makeText(random.int(bytesMin, bytesMax)));

export const textOf = (index: number): string => texts[index % texts.length] as string;

/** A text that begins with a time, for measuring latency where it arrives. `times`: of the usual length. */
export function timedText(index: number, sentAtMs: number, times = 1): string {
  const time = `${sentAtMs.toFixed(2)} `;
  return time + textOf(index).repeat(times).slice(time.length);
}
