/**
 * ClusterRun: the arguments, the plan, the load balancer's configuration and the log of `npm run cluster`.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { hasBalancer, prepareBalancer } from '../cluster-run/balancer.ts';
import { balancerConfig } from '../cluster-run/balancer-config.ts';
import { colorOf, formatLine, LineCutter, paintFor, withoutBanner } from '../cluster-run/log-lines.ts';
import { parseCommand, parseOptions } from '../cluster-run/options.ts';
import { closingTable, nodeSettings, portsFrom, secretsIn, sharedSettings, stateServerSettings } from '../cluster-run/plan.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'playhouse-plan-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the arguments', () => {
  it('are three nodes behind port 3000 when nothing is given', () => {
    expect(parseOptions([])).toEqual({
      nodes: 3,
      port: 3000,
      balancer: 'auto',
      without: [],
      members: 1,
      kafka: '3.9',
      log: 'info',
      restart: false,
    });
  });

  it('take everything, and lists as commas or repeats', () => {
    const args = ['--nodes', '5', '--port', '0', '--balancer', 'nginx', '--without', 'kafka,redis', '--members', '3', '--restart'];
    expect(parseOptions([...args, '--kafka', '4.2', '--log', 'warn'])).toEqual({
      nodes: 5,
      port: 0,
      balancer: 'nginx',
      without: ['kafka', 'redis'],
      members: 3,
      kafka: '4.2',
      log: 'warn',
      restart: true,
    });
    expect(parseOptions(['--without', 'redis', '--without', 'kafka'])).toMatchObject({ without: ['redis', 'kafka'] });
    expect(parseOptions(['--stop'])).toBe('stop');
  });

  it.each([
    [['--nodes', '0'], '--nodes must be'],
    [['--nodes', 'many'], '--nodes must be'],
    [['--port', ''], '--port must be'],
    [['--balancer', 'f5'], '--balancer must be one of auto, nginx'],
    [['--without', 'mongo'], '--without must be one of kafka, redis'],
    [['--nodse', '3'], 'usage:'],
    [['3'], 'usage:'],
  ])('%j is refused with words', (args, words) => {
    expect(() => parseOptions(args)).toThrow(words);
  });

  it('typed commands name a node that there is', () => {
    expect(parseCommand('kill 2', 3)).toEqual({ verb: 'kill', member: 'node-2' });
    expect(parseCommand('  freeze node-3 ', 3)).toEqual({ verb: 'freeze', member: 'node-3' });
    expect(parseCommand('start state', 3)).toEqual({ verb: 'start', member: 'state' });
    for (const line of ['kill 4', 'kill 0', 'kill', 'kill 1 2', 'burn 1', '']) expect(parseCommand(line, 3), line).toBeUndefined();
  });
});

describe('the plan', () => {
  const ports = portsFrom(3000, 3);
  const settings = (given: Record<string, string> = {}) =>
    sharedSettings({
      ports,
      secrets: secretsIn(folder),
      given,
      services: { CHAT_MONGO_URL: 'mongodb://127.0.0.1:1/?replicaSet=rs0', CHAT_KAFKA_BROKERS: '127.0.0.1:2', PLAYHOUSE_TEST_X: 'x' },
      dataDir: join(folder, 'data'),
      log: 'info',
    });

  it('is a configuration that nodes and state server take, in development mode, the same secrets for all', () => {
    const nodes = [0, 1, 2].map((index) => loadConfig(nodeSettings(settings(), ports, index)));
    expect(nodes.map(({ nodeId, port }) => [nodeId, port])).toEqual([
      ['node-1', 3001],
      ['node-2', 3002],
      ['node-3', 3003],
    ]);
    const state = loadConfig(stateServerSettings(settings(), ports));
    expect(state.statePort).toBe(3100);
    for (const node of nodes) {
      expect(node).toMatchObject({ dev: true, stateServer: '127.0.0.1:3100', stateSecret: state.stateSecret, dataDir: nodes[0]?.dataDir });
      expect(node.clusterSecret).not.toBe(node.stateSecret);
    }
  });

  it('takes over the settings of who starts it, but not those that each process has of its own', () => {
    const given = { CHAT_ROOM_IDLE_MS: '9000', CHAT_PORT: '1', CHAT_NODE_ID: 'mine', CHAT_KAFKA_BROKERS: 'elsewhere:1', HOME: '/' };
    const config = loadConfig(nodeSettings(settings(given), ports, 1));
    expect(config).toMatchObject({ roomIdleMs: 9_000, port: 3002, nodeId: 'node-2', kafkaBrokers: ['127.0.0.1:2'] });
  });

  it('keeps its secrets to their owner, and the same over runs', () => {
    const first = secretsIn(folder);
    expect(secretsIn(folder)).toEqual(first);
    expect(statSync(join(folder, 'secrets.json')).mode & 0o077).toBe(0);
  });

  it('ends with commands that reach it as they stand', () => {
    const rows = [{ what: 'node-1', address: 'http://127.0.0.1:3001', note: 'pid 7' }];
    expect(closingTable(rows, ports, true)).toContain('npm run chat -- --user alice --room lobby\n');
    expect(closingTable(rows, ports, true)).toContain(
      '--user bob --room lobby --url http://127.0.0.1:3001,http://127.0.0.1:3002,http://127.0.0.1:3003 --node 3\n',
    );
    const alone = closingTable(rows, portsFrom(4000, 1), false);
    expect(alone).toContain('npm run token -- carol --url http://127.0.0.1:4001');
    expect(alone).toContain('--user bob --room lobby --url http://127.0.0.1:4001 --node 1\n');
  });
});

describe.each(['nginx', 'haproxy'] as const)('the configuration of %s', (kind) => {
  const plan = () => ({ port: 3999, nodePorts: [4001, 4002], folder, isRoot: process.getuid?.() === 0 });

  it('listens on loopback only, and names every node', () => {
    const text = balancerConfig[kind]({ ...plan(), filesMax: 1_024 });
    expect(text).toMatch(/(listen|bind) 127\.0\.0\.1:3999/);
    for (const port of [4001, 4002]) expect(text).toContain(`127.0.0.1:${port}`);
  });

  it.skipIf(!hasBalancer(kind))(`is taken by ${kind} itself (needs ${kind})`, () => {
    expect(prepareBalancer(kind, plan()).command).toBe(kind);
  });
});

it('haproxy gets no more connections than it may have files for', () => {
  const of = (filesMax: number) => balancerConfig.haproxy({ port: 1, nodePorts: [2], folder, isRoot: false, filesMax });
  expect(of(1_024)).toContain('maxconn 412\n');
  expect(of(Number.MAX_SAFE_INTEGER)).toContain('maxconn 8192\n');
});

describe('the log', () => {
  const plain = paintFor(false);
  const at = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  const line = { level: 40, time: at, node: 'node-2', inc: 'node-2.x', v: 1, ev: 'append.conflict', path: '/rooms/lobby', room: 'lobby' };

  it('is one line each: when, who, how bad, what', () => {
    expect(formatLine('node-2', 33, JSON.stringify({ ...line, msg: 'a\nb', count: 3 }), 0, plain)).toBe(
      '03:04:05.006 node-2   warn  append.conflict /rooms/lobby a b room=lobby count=3',
    );
  });

  it('shows what is no JSON as it is, and cuts what is long', () => {
    expect(formatLine('balancer', 33, 'Server nodes/node-2 is DOWN', at, plain)).toBe('03:04:05.006 balancer Server nodes/node-2 is DOWN');
    expect(formatLine('node-1', 33, '{ not json', at, plain)).toContain('{ not json');
    expect(formatLine('node-1', 33, JSON.stringify({ ...line, msg: 'x'.repeat(10_000) }), at, plain).length).toBeLessThan(500);
  });

  it('colours names, each node another', () => {
    expect(new Set(Array.from({ length: 9 }, (_, index) => colorOf(index))).size).toBe(9);
    expect(formatLine('node-1', 36, 'x', at, paintFor(true))).toContain('\u001b[36mnode-1  \u001b[0m');
  });

  it('cuts bytes into lines wherever they are torn', () => {
    const lines: string[] = [];
    const cutter = new LineCutter((each) => lines.push(each));
    for (const text of ['a', 'b\nc', '\n\nd\ne']) cutter.push(text);
    expect(lines).toEqual(['ab', 'c', 'd']);
    cutter.end();
    expect(lines).toEqual(['ab', 'c', 'd', 'e']);
  });

  it('leaves out the banner of each process, and nothing after it', () => {
    const isShown = withoutBanner();
    const lines = ['cannot bind', 'Playhouse is up: http://x', '  node  node-1', 'Ctrl-C stops it.', 'not stopped within 5 ms'];
    expect(lines.filter(isShown)).toEqual(['cannot bind', 'not stopped within 5 ms']);
  });
});
