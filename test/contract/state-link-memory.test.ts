/** The contract of StateLink, kept by the memory twin. */
import { describe } from 'vitest';
import type { StateLink } from '../../system/state/state-link.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import { type StateLinkStage, stateLinkContract } from './state-link.contract.ts';
import { voiceLinkContract } from './voice-link.contract.ts';

describe('the state link in memory', () => {
  const open = async (): Promise<StateLinkStage> => {
    const hub = createMemoryStateHub();
    const links: StateLink[] = [];
    return {
      join(node) {
        const link = hub.join(node);
        links.push(link);
        return link;
      },
      stop: async () => hub.stop('the test stopped the hub'),
      start: async () => hub.start(),
      close: async () => {
        await Promise.all(links.map((link) => link.close()));
      },
    };
  };
  stateLinkContract(open);
  voiceLinkContract(open);
});
