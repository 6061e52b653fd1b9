// Ends a run with `N passed, N failed, N skipped` alone on a line, which CI systems of every kind can read; Vitest's own summary is none. Before it
// each test that a whole run has skipped, by its name, which tells the reason.
import type { Reporter, TestModule } from 'vitest/node'

export default class ClosingLine implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const skipped: string[] = []
    for (const module of testModules) {
      // A file that fails to load, and a hook that fails, have errors of their own and perhaps no test.
      if (module.errors().length > 0) counts.failed++
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') counts.passed++
        else if (state === 'failed') counts.failed++
        else skipped.push(test.fullName)
      }
    }
    counts.skipped = skipped.length
    // After the default reporter's summary, which this turn still writes.
    process.on('exit', code => {
      // Services that don't start fail the run without a test.
      if (code !== 0 && counts.failed === 0) counts.failed = 1
      // Where tests are chosen by name, the others are no news.
      if (!process.argv.includes('-t') && !process.argv.includes('--testNamePattern'))
        for (const name of skipped) process.stdout.write(`\nskipped: ${name}`)
      process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
    })
  }
}
