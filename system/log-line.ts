/**
 * LogLine: the last gate before a line leaves the process: whatever was logged, one JSON object of at most 8 kB.
 *
 * A longer one would be cut in the middle by whoever collects lines (pipes, journald, syslog), and half a JSON object is
 * worse than a short one that says it was cut.
 */

/** With its line break. Supervision lines are below it by their own bounds; this is for everything else. */
export const lineBytesMax = 8_192;
/** What is kept of a line that is too long: its first fields, short. */
const fieldsKeptMax = 24;
const charsKeptMax = 128;

export function boundedLine(line: string): string {
  // A character of UTF-16 is at most 3 bytes of UTF-8: nearly every line is known to be short enough without being measured.
  if (line.length * 3 <= lineBytesMax) return line;
  const bytes = Buffer.byteLength(line);
  return bytes <= lineBytesMax ? line : `${JSON.stringify({ ...shortFields(line), cutFromBytes: bytes })}\n`;
}

function shortFields(line: string): Record<string, unknown> {
  try {
    const fields = Object.entries(JSON.parse(line) as Record<string, unknown>).slice(0, fieldsKeptMax);
    return Object.fromEntries(fields.map(([name, value]) => [name.slice(0, charsKeptMax), shortValue(value)]));
  } catch {
    return { level: 50, msg: 'a line that is no JSON object' };
  }
}

function shortValue(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, charsKeptMax);
  return typeof value === 'object' && value !== null ? '[cut]' : value;
}
