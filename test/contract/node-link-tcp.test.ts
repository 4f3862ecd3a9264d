/** The contract of NodeLink, kept by the TCP twin; and what it makes of peers that lie, fail or fall silent. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeSealed, LineSeal, proveLink } from '../../system/cluster/node-link-lines.ts';
import { acceptedMax } from '../../system/cluster/node-link-tcp.ts';
import type { Incarnation } from '../../system/ids.ts';
import { FrameDecoder } from '../../system/state/frame-codec.ts';
import { LineClient } from '../support/line-client.ts';
import { clusterSecret, type LinkedNode, NodeLinks, quickTimes } from '../support/node-links.ts';
import { waitUntil } from '../support/store-processes.ts';
import { asked, nodeLinkContract } from './node-link.contract.ts';

const [one, two] = ['one.a', 'two.b'] as unknown as [Incarnation, Incarnation];

describe('the node link over TCP', () => {
  nodeLinkContract(async () => {
    const links = new NodeLinks();
    return { join: async (incarnation) => (await links.start(incarnation)).link, close: () => links.close() };
  });
});

describe('a node that is asked over TCP', () => {
  const links = new NodeLinks();
  const clients: LineClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    await links.close();
  });

  const self = { node: 'evil', inc: 'evil.x' };
  const hello = (to: string = two, nonce = 'n1'): string => JSON.stringify({ type: 'hello', v: 1, ...self, to, nonce });

  async function target(): Promise<LinkedNode> {
    const node = await links.start(two, { times: quickTimes });
    node.link.listen((from, question, answer) => answer(`${from}: ${question}`));
    return node;
  }
  async function connect({ port }: LinkedNode): Promise<LineClient> {
    const client = await LineClient.open(port);
    clients.push(client);
    return client;
  }
  /** Up to the proof; what the other side says is given back. */
  async function greet(client: LineClient, secret = clusterSecret) {
    const welcome = JSON.parse(await client.ask(hello())) as { nonce: string; mac: string };
    const nonces = { asker: 'n1', answerer: welcome.nonce };
    const auth = JSON.stringify({ type: 'auth', mac: proveLink(secret, 'asker', nonces, self) });
    return { welcome, nonces, auth, say: new LineSeal(secret, 'asker', nonces), hear: new LineSeal(secret, 'answerer', nonces) };
  }

  it('answers who proves to know the secret, split at every byte', async () => {
    const client = await connect(await target());
    const { auth, say, hear } = await greet(client);
    const bytes = Buffer.from(`${auth}\r\n${say.seal(encodeSealed({ type: 'question', id: 1, text: 'é' }))}\r\n${say.seal('p')}\r\n`);
    for (const byte of bytes) client.raw(Buffer.from([byte]));
    const heard = [await client.line(), await client.line(), await client.line()];
    expect(heard.map((line) => hear.open(line))).toEqual(['o', 'a1 evil.x: é', 'o']);
  });

  it.each<readonly [string, (client: LineClient) => Promise<void>]>([
    ['garbage first', async (client) => client.raw('GET / HTTP/1.1\r\n\r\n')],
    ['bytes that are no text', async (client) => client.raw(Buffer.from([0xff, 0xfe, 0x0d, 0x0a]))],
    ['a first line without an end', async (client) => client.raw('x'.repeat(10_000))],
    ['a hello with more than belongs there', async (client) => client.say(hello().replace('{', '{"__proto__":{},"x":1,'))],
    ['a proof of another secret', async (client) => client.say((await greet(client, `${clusterSecret}x`)).auth)],
    [
      'its own proof given back to it',
      async (client) => client.say(JSON.stringify({ type: 'auth', mac: (await greet(client)).welcome.mac })),
    ],
    [
      'that it is the node itself, and gives back its own proof',
      async (client) => {
        const { mac } = JSON.parse(await client.ask(hello().replaceAll('evil.x', two).replaceAll('evil', 'two'))) as { mac: string };
        client.say(JSON.stringify({ type: 'auth', mac }));
      },
    ],
    [
      'a line of no number',
      async (client) => {
        const { auth, say } = await greet(client);
        client.say(auth, say.seal('x1 hello'));
      },
    ],
    [
      'a line said twice',
      async (client) => {
        const { auth, say } = await greet(client);
        const line = say.seal(encodeSealed({ type: 'ping' }));
        client.say(auth, line, line);
      },
    ],
    [
      'a line that was changed',
      async (client) => {
        const { auth, say } = await greet(client);
        client.say(auth, say.seal(encodeSealed({ type: 'question', id: 1, text: 'honest' })).replace('honest', 'forged'));
      },
    ],
  ])('ends the connection of who says: %s; and counts it', async (_name, talk) => {
    const node = await target();
    const client = await connect(node);
    await talk(client);
    const lines = await client.end();
    expect(lines.filter((line) => line.includes('forged:') || line.includes(': forged'))).toEqual([]);
    expect((node.events.get('garbage') ?? 0) + (node.events.get('forged') ?? 0)).toBe(1);
    expect(node.lines.join('')).not.toContain(clusterSecret);
  });

  it('does not take a conversation that was recorded before', async () => {
    const node = await target();
    const first = await connect(node);
    const { auth, say, hear } = await greet(first);
    const question = say.seal(encodeSealed({ type: 'question', id: 1, text: 'kept' }));
    first.say(auth, question);
    expect(hear.open(await first.line())).toBe('o');
    expect(hear.open(await first.line())).toBe('a1 evil.x: kept');
    const again = await connect(node);
    again.say(hello(), auth, question);
    const said = await again.end();
    expect(said).toHaveLength(2);
    expect(said[1]).toContain('refused');
    expect(node.events.get('taken')).toBe(1);
  });

  it('refuses who looks for another life of it', async () => {
    const client = await connect(await target());
    expect(await client.ask(hello('two.earlier'))).toContain('this is two.b');
    await client.end();
  });

  it('cuts who connects and says nothing, and who falls silent', async () => {
    const node = await target();
    const [mute, silent] = [await connect(node), await connect(node)];
    silent.say((await greet(silent)).auth);
    await waitUntil('one is accepted', () => node.link.counts().accepted === 1);
    await Promise.all([mute.end(), silent.end()]);
    expect(node.link.counts().accepted).toBe(0);
  });

  it('closes connections beyond its bound, and takes others when they are gone', async () => {
    const node = await links.start(two);
    const held = await Promise.all(Array.from({ length: acceptedMax }, () => connect(node)));
    await (await connect(node)).end();
    expect(node.events.get('cut')).toBe(1);
    await Promise.all(held.map((client) => client.close()));
    let answered = '';
    await waitUntil('there is room again', async () => {
      const client = await connect(node);
      answered = await client.ask(hello()).catch(() => '');
      return answered !== '';
    });
    expect(answered).toContain('"type":"hello"');
  });

  it('writes a line of one kind once, however often somebody tries', async () => {
    const node = await target();
    for (let index = 0; index < 20; index += 1) {
      const client = await connect(node);
      client.say('nonsense');
      await client.end();
    }
    expect(node.events.get('garbage')).toBe(20);
    expect(node.lines.filter((line) => line.includes('link.refused'))).toHaveLength(1);
  });
});

describe('a node that asks over TCP', () => {
  const links = new NodeLinks();
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    await links.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  /** Something else is at the address of node two. */
  async function impostor(onLine: (line: string, say: (text: string) => void, socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      sockets.push(socket);
      const decoder = new FrameDecoder(10_000_000);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        for (const frame of decoder.push(chunk))
          if (frame.type === 'line') onLine(frame.text, (text) => socket.write(`${text}\r\n`), socket);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    links.pretend(two, `127.0.0.1:${(server.address() as { port: number }).port}`);
  }

  it('believes nobody who does not prove to know the secret, and sends no question', async () => {
    const heard: string[] = [];
    await impostor((line, say) => {
      heard.push(line);
      const { nonce } = JSON.parse(line) as { nonce?: string };
      const nonces = { asker: nonce ?? '', answerer: 'n2' };
      const mac = proveLink(`${clusterSecret}x`, 'answerer', nonces, { node: 'two', inc: two });
      say(JSON.stringify({ type: 'hello', v: 1, node: 'two', inc: two, nonce: 'n2', mac }));
    });
    const a = await links.start(one, { times: quickTimes });
    expect(await asked(a.link, two, 'my secret question')).toBeUndefined();
    expect(heard.join('')).not.toContain('secret question');
    expect(a.events.get('forged')).toBe(1);
    expect(a.lines.join('')).toContain('its proof is wrong');
  });

  it('is not fooled by its own proof given back', async () => {
    const b = await links.start('three.c' as Incarnation, { times: quickTimes });
    // Says to node one what node three says to it.
    await impostor((line, say) => {
      void (async () => {
        const client = await LineClient.open(b.port);
        say(await client.ask(line.replace(two, b.incarnation)));
        await client.close();
      })();
    });
    const a = await links.start(one, { times: quickTimes });
    expect(await asked(a.link, two, 'x')).toBeUndefined();
    expect(a.events.get('forged')).toBe(1);
  });

  it('stays connected with nothing to say, by its pings', async () => {
    const b = await links.start(two, { times: quickTimes });
    b.link.listen((_, question, answer) => answer(question));
    const a = await links.start(one, { times: quickTimes });
    expect(await asked(a.link, two, 'x')).toBe('x');
    const startedMs = performance.now();
    await waitUntil('both would have given up a silent peer', () => performance.now() - startedMs > 2 * quickTimes.deadMs);
    expect(a.link.counts()).toMatchObject({ links: 1 });
    expect(b.link.counts()).toMatchObject({ accepted: 1 });
    expect([...a.lines, ...b.lines].filter((line) => line.includes('link.down'))).toEqual([]);
  });

  it('leaves a peer alone that accepts and never answers, tells those who wait, and finds it again when it is back', async () => {
    await impostor(() => {});
    const a = await links.start(one, { times: quickTimes });
    expect(await asked(a.link, two, 'x')).toBeUndefined();
    expect(a.link.counts()).toEqual({ links: 0, accepted: 0, waiting: 0 });
    const b = await links.start(two);
    b.link.listen((_, question, answer) => answer(question));
    let back: string | undefined;
    await waitUntil('it answers again', () => {
      if (a.link.isLinked(two)) void asked(a.link, two, 'y').then((answer) => (back = answer));
      return back === 'y';
    });
  });

  it('notices by pings that a live peer has fallen silent', async () => {
    const b = await links.start(two, { times: { ...quickTimes, deadMs: 60_000 } });
    b.link.listen((_, question, answer) => answer(question));
    // A way between the two that can be stopped.
    let isStopped = false;
    await impostor(() => {});
    const server = servers[0] as Server;
    server.removeAllListeners('connection');
    server.on('connection', (socket) => {
      const { connect } = process.getBuiltinModule('node:net');
      const other = connect(b.port, '127.0.0.1');
      sockets.push(socket, other);
      for (const end of [socket, other]) end.on('error', () => {});
      socket.on('data', (chunk) => isStopped || other.write(chunk));
      other.on('data', (chunk) => isStopped || socket.write(chunk));
    });
    const a = await links.start(one, { times: quickTimes });
    expect(await asked(a.link, two, 'x')).toBe('x');
    isStopped = true;
    expect(await asked(a.link, two, 'y')).toBeUndefined();
    expect(a.lines.join('')).toContain('silent for 400 ms');
    expect(a.link.isLinked(two)).toBe(false);
  });

  it('closes the connection to a node that has left, and to an earlier life of it', async () => {
    const b = await links.start(two);
    b.link.listen((_, question, answer) => answer(question));
    const a = await links.start(one);
    expect(await asked(a.link, two, 'x')).toBe('x');
    await b.link.close();
    const again = await links.start('two.later' as Incarnation);
    expect(a.link.isLinked(two)).toBe(false);
    expect(a.link.isLinked(again.incarnation)).toBe(true);
    expect(a.link.counts().links).toBe(0);
  });
});
