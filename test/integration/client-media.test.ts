/**
 * Files and voice channels through the client library and the terminal, over two nodes with one state server.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { getFile, sendFile } from '../../gateway/client/chat-files.ts';
import { changeLines, paintFor, voiceLine } from '../../gateway/client/chat-format.ts';
import { parseTyped } from '../../gateway/client/chat-typed.ts';
import { RoomView } from '../../gateway/client/room-view.ts';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import { type StateServer, startStateServer } from '../../system/state/state-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const clients: ChatClient[] = [];
let stateServer: StateServer | undefined;
const folders: string[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.end();
  await stopNodes();
  await stateServer?.stop();
  stateServer = undefined;
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function twoNodes(): Promise<readonly [TestNode, TestNode]> {
  const server = await startStateServer({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: createLogger({ level: 'silent', base: {} }),
  });
  stateServer = server;
  const both = shared();
  return [await startTestNode({ stateServer: server.address }, both), await startTestNode({ stateServer: server.address }, both)];
}

async function clientOf(user: string, { url }: { readonly url: string }): Promise<ChatClient> {
  const client = new ChatClient();
  clients.push(client);
  await client.connect({ url, token: signToken(user) });
  return client;
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'playhouse-media-'));
  folders.push(made);
  return made;
}

describe('a file', () => {
  it('goes from the disk of one person into the room and onto the disk of another, on another node', async () => {
    const [one, two] = await twoNodes();
    const [ada, bob] = [await clientOf('ada', one), await clientOf('bob', two)];
    await ada.createRoom({ kind: 'group', id: 'lobby', members: ['bob'] });
    const view = new RoomView();
    const lines: string[] = [];
    bob.on('entries', ({ entries }) => {
      for (const entry of entries) lines.push(...changeLines(view.apply(entry), paintFor(false)));
    });
    await bob.open('lobby');
    const [from, to] = [await folder(), await folder()];
    const bytes = randomBytes(1_000_000);
    await writeFile(join(from, 'notes.bin'), bytes);
    expect(await sendFile(ada, 'lobby', join(from, 'notes.bin'))).toEqual(['(#2: notes.bin was uploaded)']);
    await waitUntil('bob is shown the file', () => lines.length === 1);
    expect(lines).toEqual(['#2 ada: [notes.bin, application/octet-stream, 1,000,000 bytes: /get 2]']);
    const target = join(to, 'mine.bin');
    expect(await getFile(bob, view.message(2), target)).toEqual([`(${target}: 1,000,000 bytes)`]);
    expect((await readFile(target)).equals(bytes)).toBe(true);
    expect(await getFile(bob, view.message(2), target)).toEqual([`${target} is there already; /get 2 another-name`]);
    expect(await getFile(bob, view.message(1), target)).toEqual(['no file there; /history shows older ones']);
    expect(await sendFile(ada, 'lobby', join(from, 'nothing'))).toEqual([`no such file: ${join(from, 'nothing')}`]);
  });

  it('is refused with the code that the node gave, and stored once however often it is sent', async () => {
    const [one] = await twoNodes();
    const [ada, eve] = [await clientOf('ada', one), await clientOf('eve', one)];
    await ada.createRoom({ kind: 'group', id: 'lobby' });
    await expect(eve.upload('lobby', { name: 'x', bytes: randomBytes(9) })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const upload = { name: 'x', bytes: randomBytes(9), cid: 'once' };
    const first = await ada.upload('lobby', upload);
    expect(await ada.upload('lobby', upload)).toEqual({ ...first, dup: true });
    await expect(eve.download(first.file?.id ?? '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await ada.download(first.file?.id ?? '')).bytes).toEqual(new Uint8Array(upload.bytes));
  });

  it('is not uploaded by a client that was ended', async () => {
    const [one] = await twoNodes();
    const ada = await clientOf('ada', one);
    ada.end();
    await expect(ada.upload('lobby', { name: 'x', bytes: randomBytes(9) })).rejects.toMatchObject({ code: 'OFFLINE' });
  });
});

describe('a voice channel', () => {
  it('holds people of both nodes; a node that stops takes its people out, and one who comes back is in again', async () => {
    const [one, two] = await twoNodes();
    const [ada, bob] = [await clientOf('ada', one), await clientOf('bob', two)];
    await ada.createRoom({ kind: 'channel', id: 'tea', community: '3', members: ['bob'] });
    const heard: string[] = [];
    bob.on('voice', (voice) => heard.push(voiceLine(voice)));
    expect(voiceLine(await bob.listVoice('3'))).toBe('voice in 3: nobody');
    expect(voiceLine(await ada.enterVoice('3', 'x'))).toBe('voice in 3: x: ada');
    await waitUntil('bob hears of ada', () => heard.at(-1) === 'voice in 3: x: ada');
    await bob.enterVoice('3', 'x');
    await waitUntil('both are there', () => heard.at(-1) === 'voice in 3: x: ada, bob');
    ada.disconnect();
    await waitUntil('ada is out', () => heard.at(-1) === 'voice in 3: x: bob');
    await ada.connect({ url: one.url, token: signToken('ada') });
    await waitUntil('ada is in again', () => heard.at(-1) === 'voice in 3: x: ada, bob');
    await one.stop();
    await waitUntil('whoever was on the node that stopped is out', () => heard.at(-1) === 'voice in 3: x: bob');
  });

  it('says that others may be missing while the state server is away', async () => {
    const [one, two] = await twoNodes();
    const [ada, bob] = [await clientOf('ada', one), await clientOf('bob', two)];
    await ada.createRoom({ kind: 'channel', id: 'tea', community: '3', members: ['bob'] });
    await ada.enterVoice('3', 'x');
    const heard: string[] = [];
    bob.on('voice', (voice) => heard.push(voiceLine(voice)));
    await bob.enterVoice('3', 'y');
    await waitUntil('both are there', () => heard.at(-1) === 'voice in 3: x: ada · y: bob');
    await stateServer?.stop();
    await waitUntil('only this node is known', () => heard.at(-1) === 'voice in 3: y: bob (others may be missing)');
    expect(await bob.listVoice('3')).toMatchObject({ channels: { y: ['bob'] }, complete: false });
  });
});

describe('what is typed', () => {
  it.each([
    ['/file  my notes.txt ', { type: 'file', path: 'my notes.txt' }],
    ['/file', { type: 'mistake' }],
    ['/get 12', { type: 'get', target: 12, path: undefined }],
    ['/get #12 here.txt', { type: 'get', target: 12, path: 'here.txt' }],
    ['/get x', { type: 'mistake' }],
    ['/voice', { type: 'voice', community: undefined, channel: undefined, isOff: false }],
    ['/voice 3', { type: 'voice', community: '3', channel: undefined, isOff: false }],
    ['/voice 3 31', { type: 'voice', community: '3', channel: '31', isOff: false }],
    ['/voice off', { type: 'voice', isOff: true }],
  ])('%s', (line, typed) => {
    expect(parseTyped(line)).toMatchObject(typed);
  });
});
