/**
 * VoicePlace: the voice channel the application is in, entered again whenever the connection comes back.
 *
 * Guarantees: the last of `enter` and `leave` counts, also over lost connections; a refusal after a coming back is told by `voiceLost`.
 * Does not: own the connection.
 */
import type { CommandAnswers, CommandPayloads, WireVoice } from '../client-protocol.ts';
import type { ChatError } from './chat-error.ts';
import type { Emitter } from './emitter.ts';

export interface VoiceEvents {
  /** Who is in the voice channels of a community that was listed or entered. */
  voice: WireVoice;
  /** The channel could not be entered again: the right is gone, or it is full. */
  voiceLost: { readonly community: string; readonly channel: string; readonly error: ChatError };
}

export interface VoicePlaceDeps {
  readonly enter: (payload: CommandPayloads['voice:enter']) => Promise<CommandAnswers['voice:enter']>;
  readonly leave: () => Promise<CommandAnswers['voice:leave']>;
  readonly isOnline: () => boolean;
  readonly emitter: Pick<Emitter<VoiceEvents>, 'emit'>;
}

export class VoicePlace {
  private readonly deps: VoicePlaceDeps;
  private place: CommandPayloads['voice:enter'] | undefined;

  constructor(deps: VoicePlaceDeps) {
    this.deps = deps;
  }

  async enter(community: string, channel: string): Promise<WireVoice> {
    const place = { community, channel };
    const voice = await this.deps.enter(place);
    this.place = place;
    return voice;
  }

  async leave(): Promise<void> {
    this.place = undefined;
    if (this.deps.isOnline()) await this.deps.leave();
  }

  /** The connection is back. */
  resume(): void {
    const { place } = this;
    if (!place) return;
    this.deps.enter(place).then(
      (voice) => this.deps.emitter.emit('voice', voice),
      (error: ChatError) => {
        if (error.retryable || this.place !== place) return; // Lost again: the next coming back enters.
        this.place = undefined;
        this.deps.emitter.emit('voiceLost', { ...place, error });
      },
    );
  }
}
