/**
 * NodeLink: one node asks another one something, directly. Twins: memory, tcp.
 *
 * An accelerator: whoever asks expects no answer, and knows what to do without. What is said is text of the caller's (JSON, no line
 * feed); the link does not read it.
 * Delivery: at most once, in the order asked for one other node; answers in any order. A question is for one life of a node, and never
 * reaches another one. Lost on a crash of either side. Only nodes that know the cluster's secret are heard.
 */
import type { Incarnation } from '../ids.ts';

export interface NodeLink {
  /** One line for the start banner. */
  readonly description: string;
  /**
   * Whether asking makes sense: the node is known to live, has an address, and was not found unreachable or deaf just now. Quick, asks
   * nobody; the first question opens the connection.
   */
  isLinked(to: Incarnation): boolean;
  /**
   * false: certainly not sent, and `onAnswer` is never called: not linked, closed, too much waits (`questionsMax`, `waitingBytesMax`), or the
   * text is longer than `questionBytesMax`. true: `onAnswer` is called at most once, never before `ask` returns: with the answer, or with
   * undefined when there certainly will be none (the connection ended, the other node does not take it). It may have been done all the same.
   * May wait in vain: a deadline is the caller's.
   */
  ask(to: Incarnation, question: string, onAnswer: (answer: string | undefined) => void): boolean;
  /** Who answers the questions of others; the last one set counts. Without one, askers hear undefined. */
  listen(answerer: NodeAnswerer): void;
  counts(): NodeLinkCounts;
  /** Ends all connections; whoever waits hears undefined. Idempotent, never rejects. */
  close(): Promise<void>;
}

/** `answer`: to be called once, at any time; more calls, and calls after the connection has ended, do nothing. It must not throw. */
export type NodeAnswerer = (from: Incarnation, question: string, answer: (text: string | undefined) => void) => void;

export interface NodeLinkCounts {
  /** Connections to other nodes that are live, and from others. */
  readonly links: number;
  readonly accepted: number;
  /** Questions without an answer yet, to others. */
  readonly waiting: number;
}

/** Questions to one other node that wait for their answer; and of one other node that are being answered here. */
export const questionsMax = 1_024;
/** Bytes of questions to one other node that have not left. */
export const waitingBytesMax = 4 * 1024 * 1024;
/** One question, one answer. */
export const questionBytesMax = 1024 * 1024;

/** What a link tells of itself, for metrics. */
export const nodeLinkEvents = ['asked', 'refused', 'answered', 'lost', 'taken', 'garbage', 'forged', 'cut'] as const;
export type NodeLinkEvent = (typeof nodeLinkEvents)[number];
