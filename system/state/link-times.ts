/**
 * Link times: how long the link to a state server waits for what. Tests scale all of them at once.
 */
export interface LinkTimes {
  /** For a connection. */
  readonly connectMs: number;
  /** For the answer to hello, and to auth. */
  readonly greetMs: number;
  /** For the answer to hello before the server is asked something that an older one answers. */
  readonly probeMs: number;
  /** Between pings. */
  readonly pingMs: number;
  /** Without a valid line, or without the answer to a request: the link is dead. */
  readonly deadMs: number;
  /** Wait before the first retry; it doubles with each. Of each wait a random part is taken (full jitter). */
  readonly retryMs: number;
  /** Longest wait. With 2 s a link is live again within 3 s after its server is. */
  readonly retryMsMax: number;
  /** A link that was live for so long starts over with the shortest wait. */
  readonly steadyMs: number;
  /** For the reply of an older server; it may have to ask another service first. */
  readonly olderReplyMs: number;
  /** A connection to an older server that has been idle for so long is asked whether it lives. */
  readonly olderIdleMs: number;
}

export const linkTimes: LinkTimes = {
  connectMs: 2_000,
  greetMs: 2_000,
  probeMs: 1_000,
  pingMs: 2_000,
  deadMs: 6_000,
  retryMs: 100,
  retryMsMax: 2_000,
  steadyMs: 5_000,
  olderReplyMs: 10_000,
  olderIdleMs: 30_000,
};
