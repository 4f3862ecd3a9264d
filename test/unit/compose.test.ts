/**
 * Compose: docker-compose.yml and Dockerfile are read and judged, since docker cannot run where the tests run.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Environment, loadConfig } from '../../config/load.ts';
import { hasBalancer } from '../cluster-run/balancer.ts';
import { nodeFlags } from '../support/node-flags.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

const environmentSchema = z.record(z.string(), z.string()).default({});
const serviceSchema = z.looseObject({
  container_name: z.undefined({ error: 'a fixed name stops a second instance' }).optional(),
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  restart: z.string(),
  ports: z.array(z.string()).default([]),
  healthcheck: z.union([
    z.strictObject({
      test: z.tuple([z.literal('CMD'), z.string()], z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string(),
      retries: z.number(),
    }),
    z.strictObject({ disable: z.literal(true) }),
  ]),
  stop_grace_period: z.string().regex(/^\d+s$/),
  environment: environmentSchema,
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).default({}),
});
type Service = z.infer<typeof serviceSchema>;
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
  configs: z.strictObject({ balancer: z.strictObject({ content: z.string() }) }),
});

const compose = composeSchema.parse(parse(read('docker-compose.yml'), { merge: true }));
const services = Object.entries(compose.services);
const serviceOf = (name: string): Service => compose.services[name] as Service;
/** Those that run what the Dockerfile builds. */
const own = services.filter(([, { build }]) => build !== undefined);
const others = services.filter(([, { build }]) => build === undefined);
const isTask = ([, { healthcheck }]: (typeof services)[number]): boolean => 'disable' in healthcheck;
const dockerfile = read('Dockerfile');

/** What docker compose makes of `${NAME:-default}` and `${NAME:?message}`. */
function substituted(environment: Readonly<Record<string, string>>, shell: Environment): Environment {
  const substitute = (text: string): string =>
    text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
      const given = shell[name];
      if (given) return given;
      if (kind === '?') throw new Error(`${name}: ${rest}`);
      return rest ?? '';
    });
  return Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, substitute(text)]));
}

const secret = (seed: string): string => createHash('sha512').update(seed).digest('base64');
const shell = { CHAT_JWT_SECRET: secret('jwt'), CHAT_CLUSTER_SECRET: secret('cluster'), CHAT_STATE_SECRET: secret('state') };

/** With the variables its command sets itself, as sh in a container would. */
function environmentOf({ environment, command = [] }: Service): Environment {
  const set = [...command.join(' ').matchAll(/\b(CHAT_\w+)="([^"]*)"/g)].map(([, name, value = '']) => [
    name,
    value.replaceAll('$$HOSTNAME', '0123456789ab'),
  ]);
  return { ...substituted(environment, shell), ...Object.fromEntries(set) };
}

/** The program of ours that it runs. */
const programOf = ({ command }: Service): string => /dist\/(\S+)\.js/.exec((command ?? ['dist/system/main.js']).join(' '))?.[1] ?? 'none';
const seconds = (text: string): number => Number.parseInt(text, 10);

describe('docker-compose.yml', () => {
  it('has the parts of a cluster, and one node alone that does not start with them', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ['balancer', 'kafka', 'migrate', 'mongo', 'node', 'redis', 'single', 'state-server', 'topics'].sort(),
    );
    expect(services.filter(([, service]) => service['profiles'] !== undefined).map(([name]) => name)).toEqual(['single']);
    expect(Object.values(serviceOf('single').depends_on)).toEqual([]);
  });

  it('lets node be scaled: no published port, no volume, a name for each replica', () => {
    const { ports, volumes, ...node } = serviceOf('node');
    expect([ports, volumes]).toEqual([[], []]);
    expect(loadConfig(environmentOf({ ports, volumes, ...node } as Service))).toMatchObject({
      nodeId: '0123456789ab',
      clusterAddress: '0123456789ab:3200',
      clusterPort: 3200,
    });
  });

  it('publishes nothing but the way in', () => {
    expect(services.filter(([, { ports }]) => ports.length > 0).map(([name]) => name)).toEqual(['balancer', 'single']);
  });

  it('waits for what each part needs: healthy where it goes on, completed where it is done once', () => {
    for (const [name, { depends_on: needs }] of services) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const task = isTask([needed, serviceOf(needed)]);
        expect(condition, `${name} needs ${needed}`).toBe(task ? 'service_completed_successfully' : 'service_healthy');
      }
    }
    expect(Object.keys(serviceOf('node').depends_on).sort()).toEqual(['migrate', 'redis', 'state-server', 'topics']);
  });

  it('has a health check on every service that goes on; what is done once is tried again until it is', () => {
    expect(services.filter(isTask).map(([name, { restart }]) => [name, restart])).toEqual([
      ['migrate', 'on-failure'],
      ['topics', 'on-failure'],
    ]);
    for (const [name, { restart, healthcheck }] of services.filter((each) => !isTask(each))) {
      expect(restart, name).toBe('unless-stopped');
      if ('test' in healthcheck) expect(seconds(healthcheck.timeout), name).toBeLessThanOrEqual(seconds(healthcheck.interval) * 2);
    }
  });

  it('pins every image that is not built here to a version', () => {
    expect(others.length).toBeGreaterThan(3);
    for (const [name, { image }] of others) expect(image, name).toMatch(/^[a-z/]+:\d+\.\d+\.\d+$/);
  });

  it('keeps the data of every store in a declared volume', () => {
    const mounted = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(':')[0]));
    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(serviceOf('single').volumes).toEqual([`chat-data:${serviceOf('single').environment['CHAT_DATA_DIR']}`]);
    expect(serviceOf('kafka').volumes[0]).toBe(`kafka-data:${serviceOf('kafka').environment['KAFKA_LOG_DIRS']}`);
  });

  it('has topics made by us, not by whoever misspells one', () => {
    expect(serviceOf('kafka').environment['KAFKA_AUTO_CREATE_TOPICS_ENABLE']).toBe('false');
  });

  it('names hosts that are services of it', () => {
    const config = loadConfig(environmentOf(serviceOf('node')));
    const hosts = [config.mongoUrl, config.redisUrl, ...config.kafkaBrokers, config.stateServer].map(
      (address) => /^(?:\w+:\/\/)?([\w-]+):\d+/.exec(address ?? '')?.[1],
    );
    expect(hosts).toEqual(['mongo', 'redis', 'kafka', 'state-server']);
    for (const host of hosts) expect(Object.keys(compose.services)).toContain(host);
    expect(config.stateServer.split(':')[1]).toBe(serviceOf('state-server').environment['CHAT_STATE_PORT']);
  });

  it('has metrics of the state server for its own network only: a port of its own, which is not published, and no open access', () => {
    const { stateHttpAddress, statePort, operatorAccess } = loadConfig(environmentOf(serviceOf('state-server')));
    expect(stateHttpAddress).toMatch(/^0\.0\.0\.0:\d+$/);
    expect(stateHttpAddress).not.toContain(`:${statePort}`);
    expect(operatorAccess).not.toBe('open');
  });
});

describe.each(own)('the service %s', (name, service) => {
  it('has an environment our programs accept: every variable known, every value in range, no development mode', () => {
    const config = loadConfig(environmentOf(service));
    expect(config).toMatchObject({ dev: false, jwt: { kind: 'secret' } });
    if (['node', 'single'].includes(name)) expect(config.host).toBe('0.0.0.0');
  });

  it('does not start without its secrets, and holds none itself', () => {
    for (const missing of Object.keys(shell).filter((variable) => variable in service.environment))
      expect(() => substituted(service.environment, { ...shell, [missing]: '' }), missing).toThrow(missing);
    expect(() => substituted(service.environment, {})).toThrow('CHAT_');
  });

  it('runs a program that the image has', () => {
    expect(existsSync(new URL(`../../${programOf(service)}.ts`, import.meta.url)), programOf(service)).toBe(true);
    const probe = 'test' in service.healthcheck ? /dist\/(\S+)\.js/.exec(service.healthcheck.test.join(' '))?.[1] : undefined;
    if (probe !== undefined) expect(existsSync(new URL(`../../${probe}.ts`, import.meta.url)), probe).toBe(true);
  });

  it('gives the program longer to stop than it takes', () => {
    const { drainDeadlineMs } = loadConfig(environmentOf(service));
    if (!isTask([name, service])) expect(seconds(service.stop_grace_period) * 1000).toBeGreaterThan(drainDeadlineMs);
  });

  it('is asked for its health where it listens', () => {
    if (!('test' in service.healthcheck)) return;
    const { CHAT_PORT: port, CHAT_STATE_PORT: statePort } = service.environment;
    const words = service.healthcheck.test.join(' ');
    expect(words).toMatch(port === undefined ? new RegExp(`:${statePort}$`) : new RegExp(`:${port}/(healthz|readyz)`));
  });

  it('has no rights it does not need', () => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], init: true });
  });
});

describe('the load balancer of docker-compose.yml', () => {
  const { content } = compose.configs.balancer;

  it('finds any number of replicas on the port they listen on, and asks whether they are ready', () => {
    expect(content).toContain(`node:${serviceOf('node').environment['CHAT_PORT']}\n`);
    expect(content).toContain('option httpchk GET /readyz');
    expect(content).toMatch(/bind :3000\n/);
    expect(serviceOf('balancer').ports[0]).toMatch(/:3000$/);
  });

  it('is silent for longer than a node is, so that no connection is cut that lives', () => {
    const { pingIntervalMs } = loadConfig(environmentOf(serviceOf('node')));
    for (const [, text] of content.matchAll(/timeout (?:client|server|tunnel) (\d+s)/g))
      expect(seconds(text ?? '') * 1000).toBeGreaterThan(pingIntervalMs * 2);
    // docker compose would take a dollar sign for a variable.
    expect(content).not.toContain('$');
  });

  it.skipIf(!hasBalancer('haproxy'))('is a configuration that haproxy takes (needs haproxy)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'playhouse-compose-'));
    try {
      const path = join(folder, 'haproxy.cfg');
      writeFileSync(path, content);
      const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
      const { status, stderr } = spawnSync('haproxy', ['-c', '-q', '-f', path], { encoding: 'utf8', env });
      expect(status, stderr).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('a chat node', () => {
  it('is started with the same flags of Node everywhere', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    const flags = nodeFlags.join(' ');
    expect(scripts.start).toContain(`node ${flags} dist/system/main.js`);
    expect(serviceOf('node').command?.join(' ')).toContain(`node --enable-source-maps ${flags} dist/system/main.js`);
    const { single } = compose.services;
    expect(single?.command).toBeUndefined(); // The image's own.
    const command = ['node', '--enable-source-maps', ...nodeFlags, 'dist/system/main.js'].map((word) => `"${word}"`).join(', ');
    expect(dockerfile).toContain(`CMD [${command}]`);
  });
});

describe('the Dockerfile', () => {
  it('sets only variables the node knows', () => {
    const variables = [...dockerfile.matchAll(/\b(CHAT_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
    expect(variables.length).toBeGreaterThan(0);
    expect(() =>
      loadConfig({ ...Object.fromEntries(variables), CHAT_JWT_SECRET: 'q7Zt0mXcV4nB8sLr2WyKp9HdGf3JuEa6QiOxTzRv' }),
    ).not.toThrow();
  });

  it('brings what migrate, topics and the state server need: all of dist, and dependencies of production only', () => {
    expect(dockerfile).toContain('COPY --from=build /app/dist dist');
    expect(dockerfile).toContain('npm prune --omit=dev');
    expect(dockerfile).toMatch(/^FROM node:\d+-\w+-slim$/m);
  });

  it('ends without root, with node itself as the process that gets the signals', () => {
    expect(dockerfile.lastIndexOf('\nUSER node')).toBeGreaterThan(dockerfile.lastIndexOf('\nFROM '));
    expect(dockerfile.trimEnd().split('\n').at(-1)).toMatch(/^CMD \["node", .*"dist\/system\/main\.js"\]$/);
    expect(dockerfile).toContain('\nHEALTHCHECK ');
  });

  it('copies only what .dockerignore lets through', () => {
    const letThrough = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => (names ?? '').split(' '));
    expect(copied.filter((name) => !letThrough.includes(name))).toEqual([]);
  });
});
