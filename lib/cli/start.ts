// `npm start`: the main job on sample events with nothing but Node: scenario → compiled bundle → handler, on embedded stores.

import { explain } from '../compiler/explain.ts'
import { plan } from '../compiler/planning.ts'
import type { Command } from './command.ts'
import { loadCompiled, orDiagnostics } from './compiled.ts'
import { invoke, samplesOf } from './invoke.ts'
import { openScenario } from './scenario-file.ts'

const shown = ['telecom-campaign', 'next-best-action'] as const

export const command: Command = {
  summary: 'Shows the main job: two sample scenarios decide on sample events',
  usage: 'start',
  examples: [['npm start', 'installs what is needed, then this']],
  flags: {},
  arguments: { minimum: 0, maximum: 0 },
  run: (_, terminal) =>
    orDiagnostics(terminal, async () => {
      for (const name of shown) {
        const file = openScenario(name)
        const startedMs = performance.now()
        const compiled = await loadCompiled(file)
        const elapsedMs = Math.round(performance.now() - startedMs)
        terminal.out(
          `── ${name}: ${compiled.scenario.description.trim()}\n   ${file.file}, compiled and bundled in ${elapsedMs} ms; its plan:\n\n`,
        )
        terminal.out(`${explain(plan(compiled.scenario)).replace(/^/gm, '   ')}\n\n`)
        const exitCode = await invoke(file, compiled, { ...samplesOf(compiled.scenario), format: 'why' }, terminal)
        if (exitCode !== 0) return exitCode
      }
      terminal.out(`What to try next:
  npx sluice check                       finds what is wrong with scenarios; break one in functions/ and see
  npx sluice test                        runs the examples that stand in the scenario files
  npx sluice explain next-best-action    the order of execution and the round trips
  npx sluice invoke next-best-action --format json
  npx serverless invoke local -f telecom-campaign -p events/telecom-campaign.json
  npm test                               everything, on a real Kafka and Redis
README.md has the rest: how to write a scenario, what is promised, under which conditions.
`)
      return 0
    }),
}
