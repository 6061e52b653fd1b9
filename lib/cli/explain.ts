// `npx sluice explain`: the order of execution, which the file hides.
import { explain, explainLines, roundTripsOf } from '../compiler/explain.ts'
import { plan } from '../compiler/planning.ts'
import type { Command } from './command.ts'
import { checkedScenario } from './compiled.ts'
import { openScenario } from './scenario-file.ts'
import { stateStoreIn } from './service-settings.ts'

export const command: Command = {
  summary: 'Shows the plan: filters, round trips, decisions, outputs, in the order of execution',
  usage: 'explain SCENARIO',
  examples: [
    ['npx sluice explain next-best-action', 'the plan of functions/next-best-action.yml'],
    ['npx sluice explain next-best-action --format json', 'the same for programs, with roundTrips'],
  ],
  flags: { format: { kind: 'value', placeholder: 'FORMAT', values: ['text', 'json'], about: 'json: one object' } },
  arguments: { minimum: 1, maximum: 1 },
  run: async (input, terminal) => {
    const scenario = checkedScenario(openScenario(input.arguments[0]!), terminal)
    if (scenario === undefined) return 1
    const planning = plan(scenario)
    const store = stateStoreIn(terminal.environment)
    if (input.flags.get('format') === 'json') {
      const roundTrips = roundTripsOf(planning, store)
      terminal.out(
        `${JSON.stringify({ scenario: scenario.name, topic: scenario.source.topic, roundTrips, steps: explainLines(planning, store) })}\n`,
      )
    } else terminal.out(`${explain(planning, store)}\n`)
    return 0
  },
}
