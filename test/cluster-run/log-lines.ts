/**
 * LogLines: what several processes print, as one log for people: time, who, how bad, what. One line each, bounded. Pure.
 */
/** Fields that every line has, or that the words say already. */
const leftOut = new Set(['level', 'time', 'node', 'inc', 'v', 'ev', 'msg', 'kind', 'path', 'pid', 'hostname']);
const valueCharsMax = 120;
const lineCharsMax = 400;
const levels: Readonly<Record<number, { readonly word: string; readonly color: number }>> = {
  20: { word: 'debug', color: 90 },
  30: { word: 'info ', color: 39 },
  40: { word: 'warn ', color: 33 },
  50: { word: 'ERROR', color: 31 },
  60: { word: 'FATAL', color: 31 },
};
/** Each can be told from its neighbours on light and dark ground. */
const memberColors = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94] as const;
export const nameChars = 8;

export type Paint = (text: string, color: number) => string;
export const paintFor =
  (isColored: boolean): Paint =>
  (text, color) =>
    isColored ? `\u001b[${color}m${text}\u001b[0m` : text;

export const colorOf = (memberIndex: number): number => memberColors[memberIndex % memberColors.length] ?? 39;

/** `line`: as the process wrote it, a JSON object or anything else. `wallMs`: for lines that have no time of their own. */
export function formatLine(name: string, color: number, line: string, wallMs: number, paint: Paint): string {
  const fields = objectOf(line);
  const who = paint(name.padEnd(nameChars), color);
  if (!fields) return `${clock(wallMs)} ${who} ${line.trimEnd().slice(0, lineCharsMax)}`;
  const level = levels[Number(fields['level'])] ?? { word: '     ', color: 39 };
  const atMs = typeof fields['time'] === 'number' ? fields['time'] : wallMs;
  const words = ['ev', 'path', 'msg'].flatMap((field) =>
    typeof fields[field] === 'string' && fields[field] !== '' ? [fields[field]] : [],
  );
  const rest = Object.entries(fields)
    .filter(([field, value]) => !leftOut.has(field) && value !== undefined && value !== null)
    .map(([field, value]) => `${field}=${short(value)}`);
  const text = [...words, ...rest].join(' ').replace(/\s+/g, ' ');
  return `${clock(atMs)} ${who} ${paint(level.word, level.color)} ${text.length > lineCharsMax ? `${text.slice(0, lineCharsMax)}…` : text}`;
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > valueCharsMax ? `${text.slice(0, valueCharsMax)}…` : text;
}

/** Of this machine's time zone, as on the wall. */
function clock(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function objectOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Cuts a stream of bytes into lines; what has no end yet waits, at most `bytesMax` of it. */
export class LineCutter {
  private rest = '';
  private readonly onLine: (line: string) => void;
  constructor(onLine: (line: string) => void) {
    this.onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(0, 65_536);
    for (const line of lines) if (line !== '') this.onLine(line);
  }

  end(): void {
    if (this.rest !== '') this.onLine(this.rest);
    this.rest = '';
  }
}

/** Whether a line is to be shown. What a node tells a lone reader when it is up is left out: the cluster has a table of its own. */
export function withoutBanner(): (line: string) => boolean {
  let isBanner = false;
  return (line) => {
    if (/^(Playhouse|The state server) is up: /.test(line)) isBanner = true;
    const isShown = !isBanner;
    if (line.includes('Ctrl-C stops it.')) isBanner = false;
    return isShown;
  };
}
