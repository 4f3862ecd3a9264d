/**
 * LoadMain: the load process. Told by the benchmark what to do, so that no server shares a core or a heap with its load.
 */
import { answerCalls } from './calls.ts';
import { type AppendLoadSetup, LoadAppend } from './load-append.ts';
import { LoadTalk, type TalkSetup } from './load-talk.ts';

const talk = new LoadTalk();
const append = new LoadAppend();

answerCalls({
  talkSetup: (setup: TalkSetup) => talk.setup(setup),
  talkStep: (step: { messagesPerSecond: number; durationMs: number }) => talk.step(step),
  appendSetup: (setup: AppendLoadSetup) => append.setup(setup),
  appendStart: () => append.start(),
  appendMeasure: (measure: { durationMs: number }) => append.measure(measure),
  appendFinish: () => append.finish(),
});
