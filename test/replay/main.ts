/**
 * Replay: plays real conversations on a running node and says whether every promise was kept.
 * `npm run replay -- <transcript.jsonl[.gz]…> [--url U[,U…]] [--speed N | --rate M] [--limit N] [--sockets N] [--parallel N]`
 *
 * Exit code 0: `verdict: clean`. 1: not clean, or it could not be played.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { parseArgs } from 'node:util';
import type { ConnectOptions } from '../../gateway/client/connection.ts';
import { defaultUrl, fetchDevToken } from '../../gateway/client/dev-token.ts';
import { beginningWith, parseUrls } from '../../gateway/client/node-urls.ts';
import { systemTiming } from '../../gateway/client/timing.ts';
import { type Played, Player } from './player.ts';
import { Pool } from './pool.ts';
import { rateLine, showProgress, verdictTable } from './progress.ts';
import { Stats } from './stats.ts';
import { readTranscript, roomIdOf, type Transcript, type TranscriptLine } from './transcript.ts';

const usage =
  'usage: npm run replay -- <transcript.jsonl[.gz]…> [--url U[,U…]] [--speed N | --rate M] [--limit N] [--sockets N] [--parallel N]\n' +
  '  --url    one node, or several: people are spread over them, and go to the next one when theirs is gone\n' +
  '  --rate   lines a second over all rooms (200). Conversations allow only so much: a line waits for the one it answers and for the one\n' +
  '           its speaker said before; the rate that was reached is told at the end\n' +
  '  --speed  times as fast as it was said, in place of --rate';
/** Nothing acknowledged, delivered or connected for so long: the run is given up. */
const stuckMs = 120_000;
const violationsShown = 10;
const timing = systemTiming;

function numberOf(text: string | undefined, fallback: number, name: string): number {
  const value = Number(text ?? fallback);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0\n${usage}`);
  return value;
}

/** When lines may start: `rate` a second over all rooms, or at their original times divided by `speed`. */
function pacer(rate: number, speed: number | undefined, stats: Stats): (line: TranscriptLine) => Promise<void> {
  const startMs = timing.nowMs();
  let nextMs = startMs;
  return async (line) => {
    if (line.kind === 'nick') return;
    const nowMs = timing.nowMs();
    const atMs = speed === undefined ? Math.max(nextMs, nowMs - 100) : startMs + (line.t * 1_000) / speed;
    if (speed === undefined) nextMs = atMs + 1_000 / rate;
    if (atMs > nowMs) await new Promise<void>((resolve) => timing.after(atMs - nowMs, resolve));
    stats.started();
  };
}

/** At most `placesMax` lines under way in the process, so that the busy never need more sockets than there are. */
function places(placesMax: number): () => Promise<() => void> {
  let free = placesMax;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return release;
  };
}

async function main(): Promise<number> {
  const option = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { url: { type: 'string', multiple: true }, speed: option, rate: option, limit: option, sockets: option, parallel: option },
  });
  if (positionals.length === 0 || (values.speed !== undefined && values.rate !== undefined)) throw new Error(usage);
  const urls = parseUrls(values.url ?? [], defaultUrl());
  const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : numberOf(values.limit, 0, 'limit');
  const sockets = Math.max(4, Math.floor(numberOf(values.sockets, 300, 'sockets')));
  const parallel = numberOf(values.parallel, 4, 'parallel');
  const rate = numberOf(values.rate, 200, 'rate');
  const speed = values.speed === undefined ? undefined : numberOf(values.speed, 1, 'speed');
  const transcripts = await Promise.all(positionals.map((path) => readTranscript(path, limit)));
  // Nodes that are not there are told in one line; one of several may be away.
  await Promise.any(urls.map((url) => fetchDevToken(url, 'replay-probe'))).catch(({ errors }: AggregateError) => {
    throw errors[0];
  });

  const run = randomBytes(4).toString('hex');
  const stats = new Stats(timing);
  stats.total = transcripts.reduce((sum, { lines }) => sum + lines.length, 0);
  const pool = new Pool(sockets);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // One for each wait of each person.
  process.once('SIGINT', () => stop.abort());
  const turn = pacer(rate, speed, stats);
  const place = places(Math.max(1, Math.min(200, Math.floor(sockets / 2))));
  let people = 0;
  const connectAs = (user: string, nick: string): ConnectOptions => {
    // Each begins with another node, and asks the node it talks to for the token.
    const own = beginningWith(urls, people);
    people += 1;
    return { url: own, token: (url) => fetchDevToken(url, user, nick) };
  };
  const progress = showProgress(stats, pool, timing);
  const startMs = timing.nowMs();
  watchStuck(stats, stop);

  const waiting = transcripts.map((transcript, index) => ({ transcript, index }));
  const played: Played[] = [];
  const playSome = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !stop.signal.aborted; next = waiting.shift()) {
      const { transcript, index } = next;
      const room = roomIdOf(transcript.name, run);
      const suffix = `_r${run}${transcripts.length === 1 ? '' : `-${index}`}`;
      const player = new Player({ transcript, room, suffix, connectAs, pool, stats, timing, stop: stop.signal, turn, place });
      played.push(await player.play());
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, transcripts.length) }, playSome));
  progress.stop();
  const seconds = (timing.nowMs() - startMs) / 1_000;
  return report(transcripts, played, stats, { seconds, isAborted: stop.signal.aborted, asked: speed === undefined ? rate : undefined });
}

function watchStuck(stats: Stats, stop: AbortController): void {
  const look = (): void => {
    if (timing.nowMs() - stats.progressMs > stuckMs) stop.abort();
    else timing.after(1_000, look);
  };
  timing.after(1_000, look);
}

interface Outcome {
  readonly seconds: number;
  readonly isAborted: boolean;
  /** Lines a second; undefined with --speed. */
  readonly asked: number | undefined;
}

function report(transcripts: readonly Transcript[], played: readonly Played[], stats: Stats, outcome: Outcome): number {
  const { seconds, isAborted, asked } = outcome;
  const violations = played.flatMap(({ verdict }) => verdict.violations);
  const counts = [
    `${stats.acked} of ${stats.sent} messages acknowledged in ${seconds.toFixed(1)} s (${stats.duplicateAcks} of them recognised as repeats)`,
    `${stats.delivered} entries delivered, ${stats.plainReplies} replies sent plain, ${stats.evictions} people disconnected for want of sockets`,
    ...(asked === undefined ? [] : [rateLine(asked, stats.linesPerSecond)]),
    `${stats.reconnects} reconnects in ${stats.outages} outages; longest way back ${(stats.recoveryMsMax / 1_000).toFixed(2)} s`,
  ];
  process.stdout.write(`\n${verdictTable(played)}\n\n${counts.join('\n')}\n`);
  for (const { room, seq, user, what } of violations.slice(0, violationsShown)) {
    process.stdout.write(
      `violation: room ${room}${seq === undefined ? '' : ` #${seq}`}${user === undefined ? '' : ` client ${user}`}: ${what}\n`,
    );
  }
  const reasons = [
    ...(isAborted ? ['stopped before the end'] : []),
    ...(played.length < transcripts.length ? [`${transcripts.length - played.length} transcripts not played`] : []),
    ...(stats.acked === 0 && stats.total > 0 ? ['nothing was acknowledged'] : []),
    ...(violations.length > 0 ? [`${violations.length} violations`] : []),
  ];
  process.stdout.write(reasons.length === 0 ? 'verdict: clean\n' : `verdict: NOT clean: ${reasons.join(', ')}\n`);
  return reasons.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
