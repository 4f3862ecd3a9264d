/**
 * Chat typed: what a person types at the terminal: text, or a command with its arguments.
 */
import type { ChatClient } from './chat-client.ts';
import { clean } from './chat-format.ts';

/** What a person typed into the line: text, or a command with its arguments. */
export type Typed =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reply' | 'edit'; readonly target: number; readonly text: string }
  | { readonly type: 'delete'; readonly target: number }
  | { readonly type: 'react' | 'unreact'; readonly target: number; readonly emoji: string }
  | { readonly type: 'history'; readonly before: number | undefined }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'get'; readonly target: number; readonly path: string | undefined }
  /** Nothing named: a call in this room. `off`: out of whatever channel. */
  | { readonly type: 'voice'; readonly community: string | undefined; readonly channel: string | undefined; readonly isOff: boolean }
  | { readonly type: 'who' | 'rooms' | 'help' | 'quit' | 'nothing' }
  | { readonly type: 'mistake'; readonly hint: string };

/** What is stored, and so is kept until it is acknowledged. */
export type Sendable = Extract<Typed, { readonly type: 'text' | 'reply' | 'edit' | 'delete' | 'react' | 'unreact' }>;

export const help = [
  '/reply N text    /edit N text    /delete N    /react N emoji    /unreact N emoji',
  '/file path    /get N [path]    /voice [community [channel]]    /voice off',
  '/history [before N]    /who    /rooms    /help    /quit    //text sends /text',
];

const needsNumber: ReadonlySet<string> = new Set(['reply', 'edit', 'delete', 'react', 'unreact']);

export function parseTyped(line: string): Typed {
  if (line.trim() === '') return { type: 'nothing' };
  if (!line.startsWith('/')) return { type: 'text', text: line };
  if (line.startsWith('//')) return { type: 'text', text: line.slice(1) };
  const [, verb = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(line) ?? [];
  if (needsNumber.has(verb)) {
    const [, number = '', more = ''] = /^#?(\d{1,15})(?:\s+([\s\S]*))?$/.exec(rest.trim()) ?? [];
    const target = Number(number);
    if (target < 1) return { type: 'mistake', hint: `/${verb} N …: N is the number after #` };
    if (verb === 'delete') return { type: 'delete', target };
    if (more === '') return { type: 'mistake', hint: `/${verb} N …: something is missing after N` };
    if (verb === 'react' || verb === 'unreact') return { type: verb, target, emoji: more };
    return { type: verb === 'edit' ? 'edit' : 'reply', target, text: more };
  }
  switch (verb) {
    case 'history': {
      const [, before] = /^(?:before\s+)?#?(\d{1,15})$/.exec(rest.trim()) ?? [];
      return { type: 'history', before: before === undefined ? undefined : Number(before) };
    }
    case 'file':
      return rest.trim() === '' ? { type: 'mistake', hint: '/file path: which file?' } : { type: 'file', path: rest.trim() };
    case 'get': {
      const [, number = '', path] = /^#?(\d{1,15})(?:\s+(\S[\s\S]*))?$/.exec(rest.trim()) ?? [];
      return Number(number) < 1
        ? { type: 'mistake', hint: '/get N: N is the number after #' }
        : { type: 'get', target: Number(number), path };
    }
    case 'voice': {
      const [community, channel] = rest
        .trim()
        .split(/\s+/)
        .filter((word) => word !== '');
      return { type: 'voice', community, channel, isOff: community === 'off' && channel === undefined };
    }
    case 'who':
    case 'rooms':
    case 'help':
    case 'quit':
      return { type: verb };
    default:
      return { type: 'mistake', hint: `no command /${clean(verb)}; /help lists them` };
  }
}

export function perform(client: ChatClient, room: string, typed: Sendable): Promise<unknown> {
  switch (typed.type) {
    case 'text':
      return client.send(room, typed.text);
    case 'reply':
      return client.reply(room, typed.target, typed.text);
    case 'edit':
      return client.modify(room, typed.target, typed.text);
    case 'delete':
      return client.delete(room, typed.target);
    default:
      return client.react(room, typed.target, typed.emoji, typed.type === 'react');
  }
}
