/**
 * LoadMain: the load process. Told by the benchmark what to do, so that no server shares a core or a heap with its load.
 */
import { answerCalls } from './calls.ts';
import { type AppendLoadSetup, LoadAppend } from './load-append.ts';
import { type GuestSetup, LoadGuests } from './load-guests.ts';
import { LoadSessions, type SessionsSetup } from './load-sessions.ts';
import { LoadTalk, type TalkSetup } from './load-talk.ts';

const talk = new LoadTalk();
const guests = new LoadGuests(() => talk.heads());
const sessions = new LoadSessions();
const append = new LoadAppend();

answerCalls({
  talkSetup: (setup: TalkSetup) => talk.setup(setup),
  talkStep: (step: { messagesPerSecond: number; durationMs: number }) => talk.step(step),
  guestsSetup: (setup: GuestSetup) => guests.setup(setup),
  guestsStall: () => guests.stall(),
  guestsReadOn: () => guests.readOn(),
  guestsStorm: () => guests.storm(),
  guestsSettle: () => guests.settle(),
  sessionsOpen: (setup: SessionsSetup) => sessions.open(setup),
  sessionsClose: () => sessions.close(),
  sessionsStillOpen: () => sessions.stillOpen(),
  appendSetup: (setup: AppendLoadSetup) => append.setup(setup),
  appendStart: () => append.start(),
  appendMeasure: (measure: { durationMs: number }) => append.measure(measure),
  appendFinish: () => append.finish(),
});
