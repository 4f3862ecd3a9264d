/**
 * Options: what a seed is allowed to do. Drawn from the seed, so that rare conditions are forced on often enough
 * (one run has a tiny reorder buffer, the next a store that loses every third answer); any of them can be fixed by hand.
 */
import type { RoomSettings } from '../../actors/room-protocol.ts';
import { Random } from './random.ts';

/** Faults put into the store on purpose, for the mutation test of the checker. */
export type StoreBug = 'w1' | 'unordered' | 'no-id-index';

export interface SimOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly rooms: number;
  readonly opsPerClient: number;
  /** How long faults and commands go on; then everything heals and must settle. */
  readonly faultsMs: number;
  readonly sharedLog: boolean;
  /** Two instances of one room on one node, now and then. */
  readonly zombies: boolean;
  readonly wire: boolean;
  readonly wireDrop: number;
  readonly wireDouble: number;
  readonly wireDelayMaxMs: number;
  /** Nodes forward to the last winner. Of a forward: the link takes nothing, it is lost, comes twice, comes late; its answer is lost. */
  readonly link: boolean;
  readonly linkFull: number;
  readonly forwardLost: number;
  readonly forwardDouble: number;
  readonly forwardLate: number;
  readonly answerLost: number;
  readonly tail: boolean;
  readonly tailDrop: number;
  readonly poll: boolean;
  /** Of an append: the request is lost, the answer is lost, the effect comes after the caller was told `unknown`. */
  readonly appendLost: number;
  readonly replyLost: number;
  readonly appendLate: number;
  readonly appendRejected: number;
  readonly readFail: number;
  readonly storeDelayMaxMs: number;
  readonly commitLagMaxMs: number;
  readonly commitStall: number;
  readonly failOvers: number;
  /** At each effect and each result: the node dies, the room's actor dies. */
  readonly nodeCrash: number;
  readonly roomCrash: number;
  readonly pauses: number;
  /** Per second and client: the connection is cut; the client stops reading for a while. */
  readonly cut: number;
  readonly slow: number;
  readonly sinkFramesMax: number;
  /** Each time a client thinks: it opens its open room anew; it forgets what it has and opens without since. */
  readonly reopen: number;
  readonly fresh: number;
  /** Sends a second command before the first is decided. */
  readonly hurry: number;
  readonly passivate: number;
  readonly batchTurns: boolean;
  readonly settings: Omit<RoomSettings, 'writer' | 'sharedLog'>;
  /** Also look into the state after each turn: LIVENESS, SPIN, bounds. Off: only what somebody outside can notice counts. */
  readonly stateChecks: boolean;
  readonly storeBug?: StoreBug;
}

/** Options set by hand; the rest is drawn. */
export type FixedOptions = Partial<Omit<SimOptions, 'settings'>> & { readonly settings?: Partial<SimOptions['settings']> };

export function drawOptions(seed: number, fixed: FixedOptions = {}): SimOptions {
  const random = new Random(seed).fork('options');
  const rare = (most: number): number => (random.chance(0.5) ? 0 : random.next() * most);
  const nodes = fixed.nodes ?? random.int(1, 3);
  const zombies = random.chance(0.3);
  const wire = random.chance(0.75);
  const tail = fixed.tail ?? random.chance(0.5);
  const isCalm = random.chance(0.15);
  const fault = (most: number): number => (isCalm ? 0 : rare(most));
  const drawn: SimOptions = {
    seed,
    nodes,
    clients: random.int(2, 4),
    rooms: random.chance(0.15) ? 2 : 1,
    opsPerClient: random.int(4, 14),
    faultsMs: random.int(3000, 9000),
    sharedLog: nodes > 1 || zombies,
    zombies,
    wire,
    wireDrop: rare(0.5),
    wireDouble: rare(0.4),
    wireDelayMaxMs: random.pick([5, 50, 400]),
    link: random.chance(0.7),
    linkFull: fault(0.3),
    forwardLost: fault(0.3),
    forwardDouble: rare(0.4),
    forwardLate: fault(0.3),
    answerLost: fault(0.3),
    tail,
    tailDrop: rare(0.6),
    // The head poll may rest only where a tail that loses nothing tells every head.
    poll: true,
    appendLost: fault(0.25),
    replyLost: fault(0.25),
    appendLate: fault(0.25),
    appendRejected: fault(0.03),
    readFail: fault(0.25),
    storeDelayMaxMs: random.pick([2, 10, 40]),
    commitLagMaxMs: random.pick([2, 10, 60]),
    commitStall: fault(0.15),
    failOvers: isCalm ? 0 : random.pick([0, 0, 1, 2, 4]),
    nodeCrash: fault(0.006),
    roomCrash: fault(0.006),
    pauses: isCalm ? 0 : random.pick([0, 0, 1, 2]),
    cut: fault(0.5),
    slow: rare(0.4),
    sinkFramesMax: random.pick([1, 2, 64]),
    reopen: random.pick([0.04, 0.04, 0.4]),
    fresh: random.pick([0.02, 0.02, 0.3]),
    hurry: random.pick([0, 0.3, 0.8]),
    passivate: rare(0.2),
    batchTurns: random.chance(0.5),
    stateChecks: true,
    settings: {
      pendingMax: random.pick([2, 64, 64]),
      senderPendingMax: random.pick([1, 8, 8]),
      ackDeadlineMs: random.pick([400, 2000, 5000]),
      batchEntriesMax: random.pick([1, 3, 256]),
      batchBytesMax: 256 * 1024,
      readEntriesMax: random.pick([1, 3, 500, 500]),
      resumeEntriesMax: random.pick([3, 10, 1000]),
      reorderEntriesMax: random.pick([1, 3, 1024]),
      reorderBytesMax: 1_000_000,
      gapMs: random.pick([50, 100]),
      recentEntriesMax: random.pick([2, 8, 256]),
    },
  };
  const canRestPoll = tail && random.chance(0.3);
  const options = {
    ...drawn,
    ...(canRestPoll ? { poll: false, tailDrop: 0 } : undefined),
    ...fixed,
    settings: { ...drawn.settings, ...fixed.settings },
  };
  return { ...options, sharedLog: options.nodes > 1 || options.zombies };
}
