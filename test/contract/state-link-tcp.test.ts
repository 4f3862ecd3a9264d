/** The contract of StateLink, kept by the TCP twin. */
import { describe } from 'vitest';
import type { StateLink } from '../../system/state/state-link.ts';
import { MisbehavingStateServer } from '../support/misbehaving-state-server.ts';
import { tcpLink } from '../support/state-links.ts';
import { stateLinkContract } from './state-link.contract.ts';

describe('the state link over TCP', () => {
  stateLinkContract(async () => {
    const server = new MisbehavingStateServer();
    await server.start();
    const links: StateLink[] = [];
    return {
      join(node) {
        const link = tcpLink(node, { address: server.address });
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
  });
});
