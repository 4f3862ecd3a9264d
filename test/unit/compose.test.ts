/**
 * Compose: docker-compose.yml and Dockerfile are read and judged, since docker cannot run where the tests run.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Environment, loadConfig } from '../../config/load.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.looseObject({
      container_name: z.undefined({ error: 'a fixed name stops a second instance' }).optional(),
      healthcheck: z.object({ test: z.array(z.string()).min(2), interval: z.string(), timeout: z.string(), retries: z.number() }).loose(),
      stop_grace_period: z.string().regex(/^\d+s$/),
      environment: z.record(z.string().startsWith('CHAT_'), z.string()),
      volumes: z.array(z.string()),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
});

const compose = composeSchema.parse(parse(read('docker-compose.yml')));
const services = Object.entries(compose.services);
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

describe.each(services)('the service %s', (_, service) => {
  const shell = { CHAT_JWT_SECRET: 'q7Zt0mXcV4nB8sLr2WyKp9HdGf3JuEa6QiOxTzRv' };

  it('has an environment the node accepts: every variable known, every value in range, no development mode', () => {
    const config = loadConfig(substituted(service.environment, shell));
    expect(config).toMatchObject({ dev: false, host: '0.0.0.0', jwt: { kind: 'secret' } });
  });

  it('does not start without a secret, and holds none itself', () => {
    expect(() => substituted(service.environment, {})).toThrow('CHAT_JWT_SECRET');
  });

  it('gives the node longer to stop than the node takes', () => {
    const { drainDeadlineMs } = loadConfig(substituted(service.environment, shell));
    expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThan(drainDeadlineMs);
  });

  it('asks /healthz on the port the node listens on', () => {
    expect(service.healthcheck.test.join(' ')).toContain(`:${service.environment.CHAT_PORT}/healthz`);
  });

  it('keeps the data folder in a declared volume', () => {
    const mounted = service.volumes.map((volume) => volume.split(':'));
    const data = mounted.find(([, path]) => path === service.environment.CHAT_DATA_DIR);
    expect(Object.keys(compose.volumes)).toContain(data?.[0]);
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
