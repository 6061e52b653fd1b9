// In a Redis Cluster several caps of one record are asked in one step only if their keys lie in one slot: then each has the same hash tag, the
// part of the key that stands in braces (redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec, Hash tags).
import type { Report } from './report.ts'
import type { Cap, Template } from './scenario.ts'

export function reportCapSlots(caps: readonly Cap[], report: Report): void {
  const [first, ...others] = caps
  if (first === undefined || others.length === 0) return
  const tag = hashTagOf(first.key)
  const strange = tag === undefined ? others[0] : others.find(({ key }) => hashTagOf(key) !== tag)
  if (strange === undefined) return
  const hole = first.key.parts.find(part => typeof part !== 'string')
  const example = typeof hole === 'object' ? `{${hole.source.trim()}}` : 'all'
  report.add('caps-in-two-slots', { names: caps.map(({ name }) => `"${name}"`).join(' and ') }, strange.key.range, {
    notes: [
      { message: `The key of "${first.name}":`, range: first.key.range },
      `Give all of their keys the same text in braces, which are written twice: "{{${example}}}/…".`,
    ],
  })
}

/** With holes as they are written: equal ones give equal texts. */
function hashTagOf({ parts }: Template): string | undefined {
  const text = parts.map(part => (typeof part === 'string' ? part : `\0${part.source.trim()}\0`)).join('')
  return /\{([^}]+)\}/.exec(text)?.[1]
}
