// The reference page of compile-time errors, made from their table and from the golden outputs, so that it can say nothing untrue.
import { type ErrorKey, errors } from './errors.ts'

/** `examples`: by id, an output of `check` that shows it. */
export function errorsPage(examples: ReadonlyMap<string, string>): string {
  const sections = errorIds().map(id => {
    const keys = keysOf(id)
    const sentences = keys.map(key => `- ${errors[key].text.replace(/\{(\w+)\}/g, '*$1*')}`)
    const example = examples.get(id)
    const shown = example === undefined ? [] : ['', '```', example.trimEnd(), '```']
    return [`## ${id}`, '', `${severities[errors[keys[0]!].severity]}`, '', ...sentences, ...shown, ''].join('\n')
  })
  return [
    '# What `sluice check` says',
    '',
    'Each message ends with its id. Made by `node test/golden/update.ts` from `lib/scenario/errors.ts` and `test/golden/`.',
    '',
    ...sections,
  ].join('\n')
}

const severities = {
  error: 'An error: the scenario is not built.',
  warning: 'A warning: it fails in CI only.',
  hint: 'A hint: it never fails.',
} as const

export function errorIds(): readonly string[] {
  return [...new Set(Object.keys(errors).map(key => key.replace(/\/.*/, '')))]
}

const keysOf = (id: string): readonly ErrorKey[] =>
  (Object.keys(errors) as ErrorKey[]).filter(key => key === id || key.startsWith(`${id}/`))
