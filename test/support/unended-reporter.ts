import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/** Names the files whose process died with them: vitest says no more than that one did. */
export class UnendedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: TestRunEndReason): void {
    if (reason === 'interrupted') return;
    for (const module of modules.filter(hasNotEnded)) {
      process.stderr.write(
        `\nThe process of ${module.relativeModuleId} died. What had not ended in it:\n`,
      );
      for (const test of module.children.allTests('pending')) {
        process.stderr.write(`  ${test.fullName}\n`);
      }
    }
  }
}

function hasNotEnded(module: TestModule): boolean {
  return module.state() === 'pending' || module.state() === 'queued';
}
