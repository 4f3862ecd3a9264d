/**
 * Calls: the child's side of `BenchProcess.call`.
 *
 * Guarantees: one answer per call, an error as an error; a child does not outlive its parent.
 */
export type CallHandlers = Readonly<Record<string, (argument: never) => unknown>>;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: never;
}

/** For a process that has a life of its own besides: how it stops on a signal is its own affair. */
export function answerBeside(handlers: CallHandlers): void {
  process.once('disconnect', () => process.exit(0));
  process.on('message', async ({ id, name, argument }: Call) => {
    try {
      const handler = handlers[name];
      if (!handler) throw new Error(`no call named ${name}`);
      const value = await handler(argument);
      process.send?.({ id, value });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}

/** For a process that does nothing else. */
export function answerCalls(handlers: CallHandlers): void {
  process.once('SIGTERM', () => process.exit(0));
  answerBeside(handlers);
}
