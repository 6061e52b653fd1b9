// Two projects: unit needs no services; integration starts Kafka and Redis, or uses those that SLUICE_KAFKA and SLUICE_REDIS name.
// Without isolation 12 small files cost 0.5 s of CPU instead of 1.6: tests keep no state in modules.
import { defineConfig } from 'vitest/config'

const integration = [
  'test/integration/**/*.test.ts',
  'test/connectors/**/*.test.ts',
  'test/cases/**/*.test.ts',
  'test/torture/**/*.test.ts',
]
// A test that takes so long hangs: none is timed, and the machine may be busy.
const timeouts = { testTimeout: 60_000, hookTimeout: 60_000 } as const
const common = { isolate: false, pool: 'threads', ...timeouts, expect: { poll: { timeout: 30_000 } } } as const

export default defineConfig({
  test: {
    reporters: ['default', './test/reporter.ts'],
    projects: [
      { test: { ...common, name: 'unit', include: ['test/**/*.test.ts'], exclude: integration, setupFiles: ['./test/seed.ts'] } },
      {
        test: {
          ...common,
          name: 'integration',
          include: integration,
          globalSetup: ['./test/services.ts'],
        },
      },
    ],
  },
})
