/**
 * The contract of VoiceLink as tests: voice channels over all nodes, by every twin of the state link.
 */
import { expect, it } from 'vitest';
import { type StateLink, type VoiceRow, voicePlace, voiceWatchedMax } from '../../system/state/state-link.ts';
import { liveSession, session } from '../support/state-link-listener.ts';
import { waitUntil } from '../support/store-processes.ts';
import type { StateLinkStage } from './state-link.contract.ts';

class VoiceEar {
  private readonly rows = new Map<string, VoiceRow>();
  unknowns = 0;

  constructor(link: StateLink) {
    link.voice.listen({
      onVoice: (row) => void this.rows.set(row.community, row),
      onUnknown: () => {
        this.unknowns += 1;
        this.rows.clear();
      },
    });
  }

  /** `31: ada bob, 32: eve`; undefined: nothing was told. */
  of(community: string): string | undefined {
    const row = this.rows.get(community);
    if (!row) return undefined;
    const channels = [...row.channels].map(([channel, users]) => `${channel}: ${[...users].sort().join(' ')}`).sort();
    return `${channels.join(', ')}${row.whole ? '' : ' (not whole)'}`;
  }

  hears(community: string, what: string): Promise<void> {
    return waitUntil(
      `in ${community} are ${what}`,
      () => this.of(community) === what,
      5_000,
      () => `last told: ${this.of(community)}`,
    );
  }
}

export function voiceLinkContract(open: () => Promise<StateLinkStage>): void {
  const withPair = async (story: (pair: { stage: StateLinkStage; one: StateLink; two: StateLink; ear: VoiceEar }) => Promise<void>) => {
    const stage = await open();
    try {
      const [one, two] = [stage.join('one'), stage.join('two')];
      const ear = new VoiceEar(two);
      await story({ stage, one, two, ear });
    } finally {
      await stage.close();
    }
  };
  const inVoice = (id: string, user: string, channel: string, community = '3') => liveSession(id, user, voicePlace(community, channel));

  it('tells who is in the voice channels of a watched community, on whatever node, as they come, move and go', () =>
    withPair(async ({ one, two, ear }) => {
      expect(two.voice.watch('3')).toBe(true);
      await ear.hears('3', '');
      expect(two.voice.isLive).toBe(true);
      one.put(inVoice('v1', 'ada', 'a-31'));
      two.put(inVoice('v2', 'bob', 'a-31'));
      await ear.hears('3', 'a-31: ada bob');
      one.put(inVoice('v1', 'ada', 'b'));
      await ear.hears('3', 'a-31: bob, b: ada');
      one.remove(session('v1'));
      await ear.hears('3', 'a-31: bob');
    }));

  it('tells of whole communities only, and of those that are watched', () =>
    withPair(async ({ one, two, ear }) => {
      one.put(inVoice('v1', 'ada', 'x', '31'));
      one.put(inVoice('v2', 'bob', 'x', '3'));
      one.put(liveSession('s1', 'eve', 'lobby'));
      two.voice.watch('3');
      await ear.hears('3', 'x: bob');
      expect(ear.of('31')).toBeUndefined();
      two.voice.watch('31');
      await ear.hears('31', 'x: ada');
      two.voice.unwatch('3');
      one.put(inVoice('v3', 'eve', 'x', '3'));
      one.put(inVoice('v4', 'eve', 'x', '31'));
      await ear.hears('31', 'x: ada eve');
      expect(ear.of('3')).toBe('x: bob');
    }));

  it('is unknown while the server is away, and true again when it is back, whatever happened meanwhile', () =>
    withPair(async ({ stage, one, two, ear }) => {
      two.voice.watch('3');
      one.put(inVoice('v1', 'ada', 'x'));
      await ear.hears('3', 'x: ada');
      await stage.stop();
      await waitUntil('the link is down', () => ear.unknowns > 0 && !two.voice.isLive);
      one.put(inVoice('v1', 'ada', 'y'));
      two.put(inVoice('v2', 'bob', 'y'));
      await stage.start();
      await ear.hears('3', 'y: ada bob');
    }));

  it('holds a community of a thousand people with the longest names', () =>
    withPair(async ({ one, two, ear }) => {
      const names = Array.from({ length: 1_000 }, (_, i) => `${'u'.repeat(60)}${String(i).padStart(4, '0')}`);
      const community = 'c'.repeat(64);
      names.forEach((name, i) => {
        one.put(liveSession(`v${i}`, name, voicePlace(community, i < 900 ? 'x'.repeat(64) : 'y')));
      });
      two.voice.watch(community);
      await waitUntil('all are told', () => (ear.of(community)?.split(' ').length ?? 0) === 1_002);
      expect(ear.of(community)).toBe(`${'x'.repeat(64)}: ${names.slice(0, 900).join(' ')}, y: ${names.slice(900).join(' ')}`);
    }));

  it('refuses to watch more communities than its bound', () =>
    withPair(async ({ two }) => {
      for (let i = 0; i < voiceWatchedMax; i += 1) expect(two.voice.watch(`c${i}`)).toBe(true);
      expect(two.voice.watch('one-more')).toBe(false);
      expect(two.voice.watch('c1')).toBe(true);
      two.voice.unwatch('c1');
      expect(two.voice.watch('one-more')).toBe(true);
    }));

  it('does not keep a user there whose node said goodbye', () =>
    withPair(async ({ one, two, ear }) => {
      two.voice.watch('3');
      one.put(inVoice('v1', 'ada', 'x'));
      await ear.hears('3', 'x: ada');
      await one.drain(1_000);
      await ear.hears('3', '');
    }));
}
