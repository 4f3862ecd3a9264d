/**
 * NodeInProcess: the older name of test-nodes.ts, which has it all.
 */
export { type InProcess, startInProcess, stopNodes } from './test-nodes.ts';
