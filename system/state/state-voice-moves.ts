/**
 * StateVoiceMoves: who went from a community's voice channels with a node that stopped or was given up, and who is back with one that
 * returned. Pure.
 *
 * A node tells other services of its own users while it lives; of these it cannot, or does not know that it was said. Guarantees: whoever is in the
 * community by another session, on whatever node, neither went nor came, as one who changes the channel within a node did not.
 * Each move is taken once. Does not: keep what was taken.
 */
import { voicePlaceOf } from './state-link.ts';
import type { Session, Transition } from './state-sessions.ts';

export interface VoiceMove {
  readonly user: string;
  readonly state: 'entered' | 'exited';
  readonly community: string;
  readonly channel: string;
}

/** What other services are told of a user. */
export type StateNews = Transition | VoiceMove;

export class StateVoiceMoves {
  readonly #placesOf: (user: string) => Iterable<string>;
  #went: VoiceMove[] = [];
  #came: VoiceMove[] = [];

  constructor(placesOf: (user: string) => Iterable<string>) {
    this.#placesOf = placesOf;
  }

  /** To be called when these sessions are there no longer. */
  gone(sessions: Iterable<Session>): void {
    for (const { user, place } of sessions) {
      const at = voicePlaceOf(place);
      if (at !== undefined && !this.#isIn(user, at.community)) this.#went.push({ user, state: 'exited', ...at });
    }
  }

  /** To be called before this session is there. */
  back({ user, place }: Session): void {
    const at = voicePlaceOf(place);
    if (at !== undefined && !this.#isIn(user, at.community)) this.#came.push({ user, state: 'entered', ...at });
  }

  /** With what else became of users: out of the channel before offline, online before into one. */
  takeWith(transitions: readonly Transition[]): readonly StateNews[] {
    if (this.#went.length === 0 && this.#came.length === 0) return transitions;
    const news = [...this.#went, ...transitions, ...this.#came];
    this.#went = [];
    this.#came = [];
    return news;
  }

  #isIn(user: string, community: string): boolean {
    for (const place of this.#placesOf(user)) if (voicePlaceOf(place)?.community === community) return true;
    return false;
  }
}
