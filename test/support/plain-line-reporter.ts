/**
 * PlainLineReporter: makes `N passed, N failed, N skipped` the very last line of a test run.
 *
 * Counts tests. What fails without being a test (a file that does not load, a hook, an unhandled rejection, a run that
 * was cut off) counts as one failed, so that "0 failed" and exit code 0 always come together.
 * The line is written when the process exits, since other reporters and vitest itself print after the run has ended.
 */
import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestSuite } from 'vitest/node';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countTests(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): TestCounts {
  let [passed, failed, skipped] = [0, unhandledErrors.length, 0];
  for (const testModule of modules) {
    failed += brokenParts(testModule);
    for (const test of testModule.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed += 1;
      else if (state === 'failed') failed += 1;
      else skipped += 1;
    }
  }
  return { passed, failed, skipped };
}

/** The file itself and each describe block that failed outside its tests. */
function brokenParts(testModule: TestModule): number {
  const suites: readonly (TestModule | TestSuite)[] = [testModule, ...testModule.children.allSuites()];
  return suites.filter((suite) => suite.errors().length > 0).length;
}

export function plainLine(counts: TestCounts, exitCode: number): string {
  const failed = counts.failed === 0 && exitCode !== 0 ? 1 : counts.failed;
  return `${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`;
}

export class PlainLineReporter implements Reporter {
  private counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };

  onInit(): void {
    process.once('exit', (code) => writeLine(plainLine(this.counts, code)));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.counts = countTests(modules, unhandledErrors);
  }
}

/** A pipe that is full for a moment answers EAGAIN to a synchronous write: the line is small, so trying again is enough. */
function writeLine(line: string): void {
  for (let tries = 0; tries < 10_000; tries += 1) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
    }
  }
}
