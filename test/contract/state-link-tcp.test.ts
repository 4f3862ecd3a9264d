/** The contract of StateLink, kept by the TCP twin: in front of the state server of this repository, with and without a secret, and of a model of it. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import type { StateLink } from '../../system/state/state-link.ts';
import { type StateServer, startStateServer } from '../../system/state/state-server.ts';
import { user } from '../support/entries.ts';
import { MisbehavingStateServer } from '../support/misbehaving-state-server.ts';
import { liveSession, RecordingListener } from '../support/state-link-listener.ts';
import { tcpLink } from '../support/state-links.ts';
import { waitUntil } from '../support/store-processes.ts';
import { type StateLinkStage, stateLinkContract } from './state-link.contract.ts';
import { voiceLinkContract } from './voice-link.contract.ts';

interface AnyServer {
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
  start(): Promise<void>;
}

async function stageOf(server: AnyServer, secret?: string): Promise<StateLinkStage> {
  await server.start();
  const links: StateLink[] = [];
  return {
    join(node) {
      const link = tcpLink(node, { address: server.address, ...(secret !== undefined && { secret }) });
      links.push(link);
      return link;
    },
    stop: () => server.stop(),
    start: () => server.start(),
    close: async () => {
      await Promise.all(links.map((link) => link.close()));
      await server.stop();
    },
  };
}

const log = createLogger({ level: 'silent', base: {} });

/** The real one; each start is another life of it on the same port. */
function realServer(secret?: string): AnyServer {
  let server: StateServer | undefined;
  let port = 0;
  return {
    get address() {
      return { host: '127.0.0.1', port };
    },
    async start() {
      server = await startStateServer({ host: '127.0.0.1', port, clock: systemClock, log, ...(secret !== undefined && { secret }) });
      port = server.port;
    },
    async stop() {
      await server?.stop();
    },
  };
}

describe('the state link over TCP, in front of the state server', () => {
  stateLinkContract(() => stageOf(realServer()));
  voiceLinkContract(() => stageOf(realServer()));
});

describe('the state link over TCP, in front of a state server with a secret', () => {
  const secret = 'k7WbX2fQm9TzR4sLp8Vc3HnJ6dYgA1eu';
  stateLinkContract(() => stageOf(realServer(secret), secret));

  it.each([
    ['another secret', { secret: `${secret}x` }, /refused by the state server: AUTH_REQUIRED/],
    ['no secret', {}, /asks for the shared secret, and none is set here/],
  ])('is never live with %s, and says why', async (_, options, why) => {
    const server = realServer(secret);
    await server.start();
    const link = tcpLink('one', { address: server.address, ...options });
    const heard = new RecordingListener(link);
    try {
      await heard.isDown();
      expect(heard.lives).toEqual([expect.stringMatching(why)]);
      expect(link.state).not.toBe('live');
    } finally {
      await link.close();
      await server.stop();
    }
  });
});

describe('the state link over TCP, in front of a model', () => {
  stateLinkContract(() => stageOf(new MisbehavingStateServer()));
});

describe('the state link and the state server', () => {
  it('agree on 10,000 sessions and 10,000 watched users within seconds of a restart', async () => {
    const stage = await stageOf(realServer());
    try {
      const [one, two] = [stage.join('one'), stage.join('two')];
      const heard = new RecordingListener(two);
      for (let i = 0; i < 10_000; i += 1) {
        one.put(liveSession(`session-${i}-of-one`, `user-${i}`, `room-${i % 50}`));
        two.watch(user(`user-${i}`));
      }
      const right = (): boolean => Array.from({ length: 10_000 }, (_, i) => heard.of(`user-${i}`) === `in room-${i % 50}`).every(Boolean);
      await waitUntil('all are online', right);
      await stage.stop();
      await heard.isDown();
      heard.forget();
      await stage.start();
      await waitUntil('all are online again', right, 5_000);
    } finally {
      await stage.close();
    }
  });
});
