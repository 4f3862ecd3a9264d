/** Links over TCP for tests: the usual waits divided by ten, a seed for chance. */
import { systemClock } from '../../system/clock.ts';
import { type LinkTimes, linkTimes } from '../../system/state/link-times.ts';
import type { StateLink } from '../../system/state/state-link.ts';
import { createTcpStateLink, type TcpStateLinkOptions } from '../../system/state/state-link-tcp.ts';
import { seeded } from './store-processes.ts';

export const shortTimes = Object.fromEntries(Object.entries(linkTimes).map(([name, ms]) => [name, ms / 10])) as unknown as LinkTimes;
const silent = { info: () => {}, warn: () => {} };

export function tcpLink(node: string, options: Pick<TcpStateLinkOptions, 'address'> & Partial<TcpStateLinkOptions>): StateLink {
  return createTcpStateLink({
    node,
    inc: `${node}.life`,
    clock: systemClock,
    log: silent,
    times: shortTimes,
    random: seeded(1),
    ...options,
  });
}
