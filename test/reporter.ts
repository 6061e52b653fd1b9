// Ends a run with `N passed, N failed, N skipped` alone on a line, which CI systems of every kind can read; Vitest's own summary is none.
import type { Reporter, TestModule } from 'vitest/node'

export default class ClosingLine implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of testModules) {
      // A file that fails to load, and a hook that fails, have errors of their own and perhaps no test.
      if (module.errors().length > 0) counts.failed++
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') counts.passed++
        else if (state === 'failed') counts.failed++
        else counts.skipped++
      }
    }
    // After the default reporter's summary, which this turn still writes.
    process.on('exit', code => {
      // Services that don't start fail the run without a test.
      if (code !== 0 && counts.failed === 0) counts.failed = 1
      process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
    })
  }
}
