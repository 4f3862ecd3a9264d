/**
 * Chat files: a file from the disk into the room, and back.
 *
 * Guarantees: a download never takes the place of a file that is there, and goes nowhere but into the folder one is in, unless a path is named.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { WireMessage } from '../client-protocol.ts';
import type { ChatClient } from './chat-client.ts';
import { clean } from './chat-format.ts';

/** Far above what nodes take; so that a slip does not fill the memory. */
const bytesMax = 100_000_000;

export async function sendFile(client: Pick<ChatClient, 'upload'>, room: string, path: string): Promise<readonly string[]> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts?.isFile()) return [`no such file: ${clean(path)}`];
  if (facts.size > bytesMax) return [`too large: ${facts.size.toLocaleString('en')} bytes`];
  const { seq, file } = await client.upload(room, { name: basename(path), bytes: await readFile(path) });
  return [`(#${seq}: ${clean(file?.name ?? basename(path))} was uploaded)`];
}

export async function getFile(
  client: Pick<ChatClient, 'download'>,
  message: WireMessage | undefined,
  path: string | undefined,
): Promise<readonly string[]> {
  if (!message?.file) return ['no file there; /history shows older ones'];
  const { bytes } = await client.download(message.file.id);
  // The node cleaned the name; whoever else wrote it, no part of a path is left of it here.
  const target = path ?? (basename(message.file.name.replaceAll('\\', '/')).replace(/^\.+/, '') || 'file');
  try {
    await writeFile(target, bytes, { flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    return [isThere ? `${clean(target)} is there already; /get ${message.seq} another-name` : `${clean(target)} cannot be written`];
  }
  return [`(${clean(target)}: ${bytes.length.toLocaleString('en')} bytes)`];
}
