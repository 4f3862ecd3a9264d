/**
 * Notifier in memory: the built-in one, which tells nobody, and one that remembers, for tests.
 */
import type { Absent, Noted, Notifier } from './notifier.ts';

export interface Told extends Noted {
  readonly absent: Absent;
}

/** `told`: each notification goes there; none: nobody is asked and nothing is kept. */
export function createMemoryNotifier(told?: Told[]): Notifier {
  const counts = { waiting: 0, sent: 0, nobody: 0, dropped: 0, refused: 0, late: 0, failed: 0 };
  let isDrained = false;
  const done = new Set<Promise<void>>();
  return {
    note(message, absent) {
      if (!told || isDrained) return;
      counts.waiting += 1;
      const telling = Promise.resolve()
        .then(absent)
        .then(
          (whom) => {
            if (whom.ids.length === 0) counts.nobody += 1;
            else {
              told.push({ ...message, absent: whom });
              counts.sent += 1;
            }
          },
          () => {
            counts.failed += 1;
          },
        )
        .then(() => {
          counts.waiting -= 1;
          done.delete(telling);
        });
      done.add(telling);
    },
    isListening: told !== undefined,
    counts: () => ({ ...counts }),
    description: told ? 'a list in this process' : 'none',
    health: () => 'up',
    async drain() {
      isDrained = true;
      await Promise.all(done);
    },
  };
}
