/**
 * SmallHeap: a node with a heap of 256 MB under a crowd that talks: what arrives, how late, and how much memory it takes; the same
 * while the state server is dead and while it is half-open (accepts, then says nothing); then the most idle sessions.
 *
 * The rate is fixed and beyond what bare socket.io can do; so bare is here with its idle sessions only.
 */
import { createServer, type Server } from 'node:net';
import { type Field, fields } from '../../config/schema.ts';
import { type ArmRun, lineOf, type Step, startTalk, talk, withArm } from './arm-run.ts';
import type { ArmName, ServerOptions } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { SessionsSetup } from './load-sessions.ts';
import { openFilesMax, sessionsPossible } from './machine.ts';
import { freePort } from './processes.ts';
import { type BenchResult, type Goal, type Row, shown } from './result-table.ts';
import { spreadOf } from './stats.ts';

const heapMB = 256;
const membersPerRoom = 100;
/** A little more than what is to arrive: a step counts until its last delivery. */
const deliveriesPerSecondPerRoom = 10_600;
const sampleEveryMs = 100;
const nodeArgs = [`--max-old-space-size=${heapMB}`];
const megabyte = 1_048_576;

type StateServer = 'there' | 'dead' | 'half-open';
const names: Readonly<Record<StateServer, string>> = {
  there: 'all well',
  dead: 'state server dead',
  'half-open': 'state server half-open',
};

interface Crowd {
  readonly step: Step;
  readonly rssMB: number;
}

export async function runSmallHeap(options: BenchOptions): Promise<BenchResult> {
  const hasStateServer = fields.includes('stateServer' as Field);
  const states: readonly StateServer[] = hasStateServer ? ['there', 'dead', 'half-open'] : ['there'];
  const crowds: Record<StateServer, Crowd[]> = { there: [], dead: [], 'half-open': [] };
  const idle: Record<ArmName, number[]> = { bare: [], playhouse: [] };
  const idleSessions = sessionsPossible(options.idleSessions);
  for (let round = 0; round < options.rounds; round += 1) {
    const say = (text: string): void => options.progress(`memory256 round ${round + 1}/${options.rounds} ${text}`);
    const turn = round % states.length;
    for (const state of [...states.slice(turn), ...states.slice(0, turn)]) {
      const crowd = await runCrowd(state, options);
      crowds[state].push(crowd);
      say(`${names[state].padEnd(22)} RSS ${shown(crowd.rssMB)} MB, ${lineOf(crowd.step)}`);
    }
    for (const arm of ['bare', 'playhouse'] as const) {
      const rssMB = await withArm(arm, options, (run) => weighIdle(run, idleSessions), { nodeArgs });
      idle[arm].push(rssMB);
      say(`${arm.padEnd(9)} ${shown(idleSessions)} idle: RSS ${shown(rssMB)} MB`);
    }
  }
  const rooms = options.crowdRooms;
  const whole = !options.isQuick; // A smaller crowd has no goal.
  return {
    bench: `memory256: heap of ${heapMB} MB, ${(rooms * membersPerRoom).toLocaleString('en')} sessions in ${rooms} rooms, fsync before ack and broadcast`,
    rows: [
      ...states.flatMap((state) => crowdRows(state, crowds[state], whole)),
      ...(['playhouse', 'bare'] as const).map((arm) => ({
        what: `RSS of ${idleSessions.toLocaleString('en')} idle sessions in a room, ${arm}`,
        unit: 'MB',
        spread: spreadOf(idle[arm]),
      })),
    ],
    notes: [
      'everything acknowledged reached everybody in order, and every idle session stayed; else the run fails. RSS: the highest of the step',
      ...(hasStateServer ? [] : ['not run: state server dead and half-open (this node has no setting for one)']),
      ...(idleSessions < options.idleSessions
        ? [
            `${options.idleSessions.toLocaleString('en')} idle sessions need more than the ${openFilesMax()} open files a process may have here (ulimit -Hn)`,
          ]
        : []),
    ],
  };
}

function crowdRows(state: StateServer, crowds: readonly Crowd[], whole: boolean): Row[] {
  const row = (what: string, unit: string, of: (crowd: Crowd) => number, goal: Goal): Row => ({
    what: `${what}, ${names[state]}`,
    unit,
    spread: spreadOf(crowds.map(of)),
    ...(whole && { goal }),
  });
  return [
    row('deliveries', '/s', ({ step }) => step.deliveriesPerSecond, { bound: 'at least', value: 1_000_000 }),
    row('p99', 'ms', ({ step }) => step.p99Ms, { bound: 'at most', value: 100 }),
    row('RSS', 'MB', ({ rssMB }) => rssMB, { bound: 'at most', value: 350 }),
    { what: `load process CPU, ${names[state]}`, unit: 'cores', spread: spreadOf(crowds.map(({ step }) => step.loadCpuShare)) },
  ];
}

async function runCrowd(state: StateServer, options: BenchOptions): Promise<Crowd> {
  const { address, close } = await stateServer(state);
  const server: ServerOptions = { nodeArgs, environment: address === undefined ? {} : { CHAT_STATE_SERVER: address } };
  try {
    return await withArm(
      'playhouse',
      options,
      async (run) => {
        await startTalk(run, { rooms: options.crowdRooms, membersPerRoom });
        const messagesPerSecond = (options.crowdRooms * deliveriesPerSecondPerRoom) / membersPerRoom;
        await talk(run, messagesPerSecond / 2, options.hotWarmUpMs);
        return whileWeighed(run, () => talk(run, messagesPerSecond, options.crowdMs));
      },
      server,
    );
  } finally {
    close();
  }
}

/** Where the node is told its state server is. */
async function stateServer(state: StateServer): Promise<{ address: string | undefined; close: () => void }> {
  if (state === 'there') return { address: undefined, close: () => {} };
  if (state === 'dead') return { address: `127.0.0.1:${await freePort()}`, close: () => {} };
  const silent: Server = createServer((socket) => socket.on('error', () => {}));
  const port = await new Promise<number>((resolve) => {
    silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port));
  });
  silent.unref();
  return { address: `127.0.0.1:${port}`, close: () => silent.close() };
}

async function whileWeighed({ server }: ArmRun, work: () => Promise<Step>): Promise<Crowd> {
  let rssBytes = 0;
  const timer = setInterval(() => (rssBytes = Math.max(rssBytes, server.process.rssBytes() ?? Number.NaN)), sampleEveryMs);
  try {
    const step = await work();
    return { step, rssMB: rssBytes / megabyte };
  } finally {
    clearInterval(timer);
  }
}

async function weighIdle({ server, load, target }: ArmRun, sessions: number): Promise<number> {
  await load.call('sessionsOpen', { ...target, prefix: 'i', sessions, roomsPerSession: 1 } satisfies SessionsSetup);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const open = await load.call<number>('sessionsStillOpen');
  if (open !== sessions) throw new Error(`${open} of ${sessions} sessions are open`);
  return (server.process.rssBytes() ?? Number.NaN) / megabyte;
}
