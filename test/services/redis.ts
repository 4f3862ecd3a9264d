/**
 * Redis: redis-server of the system; Debian's package where this program may install it.
 */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts, hasTool, launch, run, untilUp } from './processes.ts';
import { MissingTool, type Service } from './service.ts';

export const redis: Service = {
  name: 'redis',
  variable: 'CHAT_REDIS_URL',
  environmentOf: (url) => ({ PLAYHOUSE_TEST_REDIS_URL: url, CHAT_REDIS_URL: url }),

  async install(cache, _options, say) {
    if (hasTool('redis-server')) return;
    if (process.getuid?.() !== 0 || !hasTool('apt-get'))
      throw new MissingTool('redis-server is not installed; on Debian: apt-get install redis-server');
    say('installing redis-server');
    await run('apt-get', ['update', '-qq'], cache);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], cache);
  },

  async start(_cache, folder, _options, say, onLaunch) {
    const [port = 0] = await freePorts(1);
    say(`starting redis-server on ${port}`);
    const data = join(folder, 'redis');
    mkdirSync(data, { recursive: true });
    const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', data, '--save', '', '--appendonly', 'yes', '--daemonize', 'no'];
    const pid = launch('redis', 'redis-server', args, folder);
    onLaunch(pid);
    await untilUp('redis-server', pid, folder, 'redis', 10_000, () => answersPing(port));
    const url = `redis://127.0.0.1:${port}`;
    return { pids: [pid], address: url, environment: this.environmentOf(url) };
  },
};

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('data', (data) => end(data.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
    socket.setTimeout(1_000, () => end(false));
  });
}
