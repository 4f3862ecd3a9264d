/**
 * LoadMain: the load process. Told by the benchmark what to do, so that no server shares a core or a heap with its load.
 */
import { type AppendLoadSetup, LoadAppend } from './load-append.ts';
import { type HotSetup, LoadHot } from './load-hot.ts';
import { answerCalls } from './processes.ts';

const hot = new LoadHot();
const append = new LoadAppend();

answerCalls({
  hotSetup: (setup: HotSetup) => hot.setup(setup),
  hotStep: (step: { messagesPerSecond: number; durationMs: number }) => hot.step(step),
  appendSetup: (setup: AppendLoadSetup) => append.setup(setup),
  appendStart: () => append.start(),
  appendMeasure: (measure: { durationMs: number }) => append.measure(measure),
  appendFinish: () => append.finish(),
});
