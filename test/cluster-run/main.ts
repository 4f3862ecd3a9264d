/**
 * Main: `npm run cluster -- --nodes 3`: services, state server, nodes and a load balancer on this machine, in one go.
 *
 * Prints one log of them all until Ctrl-C, which ends them in order; a second one ends them at once. `--stop` ends what a run has left
 * that was killed. Exit code 0 after an orderly end.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceSet } from '../services/service-set.ts';
import { ClusterRun } from './cluster-run.ts';
import { colorOf, formatLine, paintFor } from './log-lines.ts';
import { commandHelp, parseCommand, parseOptions, type RunOptions, UsageError } from './options.ts';
import { RunRecord } from './record.ts';

const folder = resolve('data', 'cluster');
const record = new RunRecord(folder);
const paint = paintFor(process.stdout.isTTY === true && !process.env['NO_COLOR']);
const bold = 1;
/** A Ctrl-C may come twice: from the terminal and from npm. */
const sameSignalMs = 1_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => print(paint(text, bold));

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const owner = record.owner();
  if (options === 'stop') return end(owner);
  if (owner !== undefined)
    throw new UsageError(`a cluster runs here already (pid ${owner}): end it with Ctrl-C, or: npm run cluster -- --stop`);
  await clearAway();
  for (const name of existsSync(folder) ? readdirSync(folder) : []) if (name.endsWith('.log')) rmSync(join(folder, name));
  await run(options);
}

async function run(options: RunOptions): Promise<void> {
  const onLine = (name: string, line: string): void => {
    const index = name === 'state' ? options.nodes : name === 'balancer' ? options.nodes + 1 : Number(name.slice('node-'.length)) - 1;
    print(formatLine(name, colorOf(index), line, Date.now(), paint));
  };
  const cluster = new ClusterRun({ options, folder, record, say, onLine });
  let firstMs: number | undefined;
  const stop = (code: number): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined) {
      if (nowMs - firstMs < sameSignalMs) return;
      cluster.kill();
      say('ended at once; npm run cluster -- --stop ends the services');
      process.exit(1);
    }
    firstMs = nowMs;
    if (code === 0) say('\nending: nodes drain, then the load balancer, the state server, the services');
    cluster.stop().then(
      () => process.exit(code),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(0));
  // A reader of the log that goes away (| head) is no reason to leave processes behind.
  process.stdout.on('error', () => stop(0));
  try {
    const table = await cluster.start();
    say(`\n${table}\nHere: ${commandHelp}. Ctrl-C ends all.\n`);
  } catch (error) {
    if (firstMs !== undefined) return; // It is being ended.
    say(error instanceof Error ? error.message : String(error));
    return stop(1);
  }
  listenToKeys(options, cluster);
}

function listenToKeys(options: RunOptions, cluster: ClusterRun): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const command = parseCommand(line, options.nodes);
    if (command) cluster.command(command.verb, command.member).catch((error: unknown) => say(String(error)));
    else if (line.trim() !== '') say(commandHelp);
  });
}

async function end(owner: number | undefined): Promise<void> {
  if (owner !== undefined) {
    say(`asking the cluster to end (pid ${owner})`);
    process.kill(owner, 'SIGTERM');
    const until = performance.now() + 60_000;
    while (record.owner() !== undefined && performance.now() < until) await new Promise((done) => setTimeout(done, 100));
  }
  await clearAway();
  say('nothing of a cluster runs here');
}

/** What a run left that was killed with -9. */
async function clearAway(): Promise<void> {
  const names = await record.endLeftovers();
  const services = new ServiceSet(resolve(folder, 'services'), () => {});
  const left = [...names, ...(await services.stop())];
  if (left.length > 0) say(`cleared away what an earlier run left: ${left.join(', ')}`);
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof UsageError ? error.message : error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

main().catch(fail);
