/**
 * Client address: whose limits a connection counts against.
 *
 * The peer of the TCP connection, unless that is a trusted proxy: then the last address in X-Forwarded-For that is none.
 * Loopback and the proxies themselves count against nobody: behind them may be everybody. An IPv6 client has a whole /64 to
 * choose addresses from, so that is what counts.
 * Does not: believe a header of anybody who is not a trusted proxy.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { isLoopbackAddress } from './handshake.ts';

/** undefined: no limits by address. */
export type AddressKey = string | undefined;

export interface Peer {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

/** `trusted`: addresses and networks such as 10.0.0.0/8. */
export function createAddressRule(trusted: readonly string[]): (peer: Peer) => AddressKey {
  const proxies = new BlockList();
  for (const entry of trusted) {
    const [network = '', bits] = entry.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    proxies.addSubnet(network, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  const isProxy = (address: string): boolean => proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return ({ socket, headers }) => {
    const peer = plainAddress(socket.remoteAddress);
    if (peer === undefined) return undefined;
    if (!isProxy(peer)) return keyOf(peer);
    const client = forwardedFor(headers).findLast((address) => !isProxy(address));
    return client === undefined ? undefined : keyOf(client);
  };
}

/** From the client's own claim to the nearest proxy's word. Cut at the first thing that is no address, looking from the end. */
function forwardedFor(headers: IncomingHttpHeaders): readonly string[] {
  const given = headers['x-forwarded-for'];
  const parts = (Array.isArray(given) ? given.join(',') : (given ?? '')).split(',').map((part) => plainAddress(part.trim()));
  const firstKnown = parts.lastIndexOf(undefined) + 1;
  return parts.slice(firstKnown) as string[];
}

/** Without a zone, and an IPv4 address as one. undefined: no address. */
function plainAddress(text: string | undefined): string | undefined {
  const address = text?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '') ?? '';
  return isIP(address) === 0 ? undefined : address;
}

function keyOf(address: string): AddressKey {
  if (isLoopbackAddress(address)) return undefined;
  return isIP(address) === 6 ? network64(address) : address;
}

/** The first four of the eight groups. */
function network64(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] =>
    part === '' ? [] : part.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
  const left = groups(head);
  const right = groups(tail ?? '');
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
