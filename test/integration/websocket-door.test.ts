/**
 * The websocket door, spoken to byte by byte: what socket.io's protocol asks for, and what ends a connection that does not follow it.
 * (What real socket.io clients see is asserted by all other tests of the gateway.)
 */
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Departure } from '../../actors/user-state.ts';
import type { GatewayConfig } from '../../gateway/server.ts';
import { startTestGateway, type TestGateway, tokenOf } from '../support/gateway-fixtures.ts';
import { waitUntil } from '../support/store-processes.ts';

const gateways: TestGateway[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const gateway of gateways.splice(0)) await gateway.server.close(200);
});

interface Line {
  /** Texts received, but for pings. */
  readonly heard: string[];
  pings: number;
  readonly socket: WebSocket;
  closeCode: number | undefined;
  say(...texts: readonly (string | Buffer)[]): void;
}

async function start(config: Partial<GatewayConfig> = {}) {
  const departures: Departure[] = [];
  const gateway = await startTestGateway(config, {
    openSession: () => ({
      command: (_command, reply) => {
        reply({ ok: true, result: { type: 'done' } });
        return 'accepted';
      },
      disconnected: (departure: Departure = 'lost') => void departures.push(departure),
    }),
  });
  gateways.push(gateway);
  async function open(query = 'EIO=4&transport=websocket', answersPings = true): Promise<Line> {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/socket.io/?${query}`);
    sockets.push(socket);
    const line: Line = {
      heard: [],
      pings: 0,
      socket,
      closeCode: undefined,
      say: (...texts) => {
        for (const text of texts) socket.send(text);
      },
    };
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text !== '2') return void line.heard.push(text);
      line.pings += 1;
      if (answersPings) socket.send('3');
    });
    socket.on('close', (code) => {
      line.closeCode = code;
    });
    socket.on('error', () => {});
    await waitUntil('the first packet came', () => line.heard.length > 0 || line.closeCode !== undefined);
    return line;
  }
  const connect = async (line: Line): Promise<void> => {
    line.say(`40${JSON.stringify({ token: tokenOf('ada') })}`);
    await waitUntil('connected', () => line.heard.some((text) => text.startsWith('40')));
  };
  return { gateway, departures, open, connect };
}

const closed = (line: Line) => waitUntil('the connection is closed', () => line.closeCode !== undefined);
const typing = '["typing",{"room":"r"}]';

describe('the websocket door', () => {
  it('opens as engine.io does, and connects as socket.io does', async () => {
    const { open, connect } = await start();
    const line = await open();
    const about = JSON.parse((line.heard[0] as string).slice(1)) as object;
    expect(line.heard[0]?.[0]).toBe('0');
    expect(about).toEqual({ sid: expect.any(String), upgrades: [], pingInterval: 10_000, pingTimeout: 8_000, maxPayload: 65_536 });
    await connect(line);
    expect(JSON.parse((line.heard[1] as string).slice(2))).toEqual({ sid: expect.any(String) });
    line.say(`427${typing}`, `428${typing}`);
    await waitUntil('both are answered', () => line.heard.length === 4);
    expect(line.heard.slice(2)).toEqual(['437[{"ok":true}]', '438[{"ok":true}]']);
  });

  it('answers a token that is none with a connect_error, and closes', async () => {
    const { gateway, open } = await start();
    const line = await open();
    line.say('40{"token":"no"}');
    await waitUntil('refused', () => line.heard.length === 2);
    expect(line.heard[1]).toMatch(/^44\{"message":".+","data":\{"code":"UNAUTHENTICATED"/);
    await closed(line);
    expect(gateway.server.connections()).toBe(0);
  });

  it('knows no other namespace', async () => {
    const { open, connect } = await start();
    const line = await open();
    line.say('40/admin,{"token":"t"}');
    await waitUntil('told so', () => line.heard.length === 2);
    expect(line.heard[1]).toBe('44/admin,{"message":"Invalid namespace"}');
    await connect(line);
  });

  it.each<readonly [string, readonly (string | Buffer)[], boolean]>([
    ['a command before CONNECT', [`421${typing}`], false],
    ['a second CONNECT', ['40{}'], true],
    ['what does not parse', ['421["typing"'], true],
    ['another namespace', [`42/admin,1${typing}`], true],
    ['a packet type that is none', ['9'], true],
    ['a ping from the client', ['2'], true],
    ['nothing', [''], true],
    ['a buffer that belongs to nothing', [Buffer.from('x')], true],
    ['more buffers than an event may have', ['4511-1["typing",{}]'], true],
  ])('ends the connection at %s, and tells the session', async (_what, texts, isConnected) => {
    const { gateway, departures, open, connect } = await start();
    const line = await open();
    if (isConnected) await connect(line);
    line.say(...texts);
    await closed(line);
    await waitUntil('the session is told', () => departures.length === (isConnected ? 1 : 0));
    expect(gateway.server.connections()).toBe(0);
  });

  it('refuses buffers in a command by the name of the field, skips them, and goes on', async () => {
    const { open, connect } = await start();
    const line = await open();
    await connect(line);
    line.say(
      '452-1["typing",{"room":{"_placeholder":true,"num":0},"x":{"_placeholder":true,"num":1}}]',
      Buffer.from('a'),
      Buffer.from('b'),
    );
    line.say(`422${typing}`);
    await waitUntil('both are answered', () => line.heard.length === 4);
    expect(line.heard[2]).toMatch(/^431\[\{"ok":false,"error":\{"code":"INVALID","message":"payload\.room must not be binary"/);
    expect(line.heard[3]).toBe('432[{"ok":true}]');
  });

  it('closes with 1009 over 64 kB', async () => {
    const { open, connect } = await start();
    const line = await open();
    await connect(line);
    line.say(`421["typing",{"room":"${'x'.repeat(70_000)}"}]`);
    await closed(line);
    expect(line.closeCode).toBe(1009);
  });

  it('tells a leave from a loss from a silence', async () => {
    const { departures, open, connect } = await start({ pingIntervalMs: 200, pingTimeoutMs: 200 });
    const leaver = await open();
    await connect(leaver);
    leaver.say('41');
    await waitUntil('the first is gone', () => departures.length === 1);
    const lost = await open();
    await connect(lost);
    lost.socket.terminate();
    await waitUntil('the second is gone', () => departures.length === 2);
    const silent = await open(undefined, false);
    await connect(silent);
    await waitUntil('the third is gone', () => departures.length === 3);
    expect(departures).toEqual(['left', 'lost', 'silent']);
    expect(silent.pings).toBe(1);
    const alive = await open();
    await connect(alive);
    await waitUntil('it was pinged three times', () => alive.pings >= 3);
    expect([alive.closeCode, departures.length]).toEqual([undefined, 3]);
  });

  it.each(['EIO=3&transport=websocket', 'transport=websocket', 'EIO=4&transport=websocket&sid=nobody'])(
    'leaves ?%s to engine.io, which refuses it',
    async (query) => {
      const { gateway, open } = await start();
      const line = await open(query);
      await closed(line);
      expect(line.heard.filter((text) => text.startsWith('0'))).toEqual([]);
      expect(gateway.server.connections()).toBe(0);
    },
  );
});
