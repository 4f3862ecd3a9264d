/**
 * VoiceAnswers: answers about voice channels, at once or when the state server has told of the community, at the latest after a moment.
 *
 * Guarantees: each is given once; so many wait, more are answered with what is known. Does not: know who may ask.
 */
import { type ActorRef, tell } from '../system/actor.ts';
import type { Answer } from './client-command.ts';
import type { VoiceView } from './voice-state.ts';

/** An answer waits so long for what the state server knows. */
const answerMs = 300;
/** Answers that wait for the state server. More: answered with what is known. */
const waitingMax = 1_000;

interface Waiting {
  readonly community: string;
  readonly replyTo: ActorRef<Answer>;
  readonly untilMs: number;
}

export class VoiceAnswers {
  private readonly viewOf: (community: string) => VoiceView;
  private waiting: Waiting[] = [];

  constructor(viewOf: (community: string) => VoiceView) {
    this.viewOf = viewOf;
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** `community` undefined: there is none to tell of. */
  give(replyTo: ActorRef<Answer>, community: string | undefined): void {
    tell(replyTo, { ok: true, result: community === undefined ? { type: 'done' } : { type: 'voice', view: this.viewOf(community) } });
  }

  /** false: too many wait. */
  giveLater(replyTo: ActorRef<Answer>, community: string, nowMs: number): boolean {
    if (this.waiting.length >= waitingMax) return false;
    this.waiting.push({ community, replyTo, untilMs: nowMs + answerMs });
    return true;
  }

  /** The state server has told of it. */
  known(community: string): void {
    this.giveDue((each) => each.community === community);
  }

  /** The state server tells nothing any more. */
  unknown(): void {
    this.giveDue(() => true);
  }

  expire(nowMs: number): void {
    this.giveDue(({ untilMs }) => untilMs <= nowMs);
  }

  private giveDue(isDue: (waiting: Waiting) => boolean): void {
    const due = this.waiting.filter(isDue);
    if (due.length === 0) return;
    this.waiting = this.waiting.filter((each) => !due.includes(each));
    for (const { replyTo, community } of due) this.give(replyTo, community);
  }
}
