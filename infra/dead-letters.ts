// Where the dead letters of one function go: a topic of its own, or one for all. Topics in which they would be taken for something else are
// told before a deploy.
import { deadLetterTopicOf as ownDeadLetterTopicOf } from '../lib/plan/identity.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'
import { outputTopics } from './permissions.ts'
import { namespaceOf, type SluiceSettings } from './settings.ts'

export function deadLetterTopicOf(name: string, settings: SluiceSettings): string {
  const namespace = namespaceOf(settings)
  return settings.deadLetterTopic ?? ownDeadLetterTopicOf({ ...(namespace !== undefined && { namespace }), scenario: name })
}

/** Sentences with the cure. */
export function deadLetterProblems(scenario: Scenario, topic: string): readonly string[] {
  const cure = 'set another "deadLetterTopic" under "sluice"'
  if (topic === scenario.source.topic)
    return [
      `its dead letters would go to "${topic}", which it reads: each would be read again and set aside again, for ever; ${cure}`,
    ]
  if (outputTopics(scenario).includes(topic))
    return [`its dead letters would go to "${topic}", where a sink writes: who reads that would take them for outputs; ${cure}`]
  return []
}
