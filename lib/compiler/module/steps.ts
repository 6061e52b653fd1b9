// The steps of a plan: loops over a batch's columns.
import type { Checked } from '../../language/checked.ts'
import type { Remember } from '../../scenario/scenario.ts'
import { checkedOf, expressionFunction, generate, straightCode } from '../expressions.ts'
import { objectLiteral } from '../module-text.ts'
import {
  type Condition,
  entriesReadBy,
  entriesThatDoubt,
  fetchedEnrichers,
  neededFilters,
  referencesOf,
  rememberEntries,
  type Stage,
} from '../planning.ts'
import { isKept, type Scope } from './scope.ts'
import { memberCode } from './values.ts'

export function stepCode(scope: Scope, stage: Stage): string {
  switch (stage.kind) {
    case 'fetch': {
      const enrichers = fetchedEnrichers(scope.scenario)
      const indexes = [
        ...stage.lookups.map(({ enricher }) => enrichers.indexOf(enricher)),
        ...stage.entries.map(({ entry }) => enrichers.length + rememberEntries(scope.scenario).indexOf(entry)),
      ]
      return `{ kind: 'fetch', lookups: [${indexes.join(', ')}] }`
    }
    case 'filter':
      return filterStep(scope, stage.conditions)
    case 'settle':
      return settleStep(scope, stage)
    case 'write':
      return `{ kind: 'write' }`
    case 'decide': {
      // A decision is computed where it is first read; this step does it for all records that will read it, straight after its inputs.
      const names = stage.decisions.map(({ decision }) => decision.name)
      const early = stage.decisions.some(({ byFilters, onDroppedSinks }) => byFilters || onDroppedSinks.length > 0)
      const kept = names.filter(name => isKept(scope, name))
      return loopStep(
        scope,
        'decide',
        names,
        early ? '(c.status[i] & 1) === 0' : 'c.status[i] === 0',
        kept
          .map(name => `    ${guarded(entriesReadBy(name, scope.planning).map(isThere), scope.names.access(name).code)}`)
          .join('\n'),
      )
    }
  }
}

export function verdictCode(scope: Scope, condition: Condition): string {
  const { code } = scope.names.access(condition.name)
  const found = condition.kind === 'found' ? `isFound(${code}, ${JSON.stringify(condition.name)})` : `isRequired(${code})`
  const verdict = condition.kind === 'filter' ? code : found
  // Nobody knows whether the record counts: what reads the entry, and is not needed to know it, fails with it.
  return entriesThatDoubt(condition, scope.planning).reduceRight(
    (rest, e) => `(${whenOf(e)} instanceof Failure ? ${whenOf(e)} : ${rest})`,
    verdict,
  )
}

// A filter that reads columns (and variables that do) and cannot fail stands in the loop; where a column holds a Failure, and for all other
// filters, their functions are called. Rules that hold cost a comparison each: `judge` is for those that do not.
function filterStep(scope: Scope, conditions: readonly Condition[]): string {
  const columns = new Map<string, { readonly local: string; readonly column: string; readonly mayFail: boolean }>()
  const variables = new Map<string, string>()
  let computed: string[] = []
  const local = (name: string): string => {
    const { column, keptIn, mayFail } = scope.names.access(name)
    if (column === undefined) {
      const known = variables.get(name) ?? `v${variables.size}`
      if (!variables.has(name)) {
        variables.set(name, known)
        const code = straightCode(scope.module, variableExpression(scope, name)!, local)
        computed.push(`const ${known} = ${keptIn === undefined ? '' : `${keptIn}[i] = `}${code}`)
      }
      return known
    }
    const known = columns.get(name) ?? { local: `r${columns.size}`, column, mayFail }
    columns.set(name, known)
    return known.local
  }
  const judgements = conditions.map(condition => {
    const name = JSON.stringify(condition.name)
    const waits = waitsOf(scope, condition)
    if (waits.length > 0) {
      return guarded(
        waits,
        `{\n      verdict = ${verdictCode(scope, condition)}\n      if (verdict !== true && judge(c, i, ${name}, verdict)) continue\n    }`,
      )
    }
    const straight = straightCondition(scope, condition, local)
    if (straight === undefined)
      return `verdict = ${verdictCode(scope, condition)}\n    if (verdict !== true && judge(c, i, ${name}, verdict)) continue`
    if (straight === 'true') return ''
    const before = computed.map(statement => `${statement}\n    `).join('')
    computed = []
    return `${before}if (!(${straight})) { judge(c, i, ${name}, false); continue }`
  })
  const names = conditions.map(({ name }) => name)
  const run = scope.module.freeName('filter', names.join('_').slice(0, 40))
  const read = [...columns.values()]
  const failing = read.filter(({ mayFail }) => mayFail).map(found => `${found.local} instanceof Failure`)
  if (failing.length > 0) {
    const verdicts = conditions.map(condition => `  ${judgementCode(scope, condition)}`)
    scope.module.add(`function ${run}_slow(c, i) {\n${verdicts.join('\n')}\n}`)
    judgements.unshift(`if (${failing.join(' || ')}) { ${run}_slow(c, i); continue }`)
  }
  const lines = [
    'if ((c.status[i] & 1) !== 0) continue',
    ...read.map(found => `const ${found.local} = ${found.local}s[i]`),
    ...judgements.filter(line => line !== ''),
  ]
  scope.module.add(`function ${run}(c) {
  let verdict
${read.map(found => `  const ${found.local}s = ${found.column}\n`).join('')}  for (let i = 0; i < c.recordCount; i++) {
    ${lines.join('\n    ')}
  }
}`)
  return `{ kind: 'filter', names: ${JSON.stringify(names)}, run: ${run} }`
}

function straightCondition(scope: Scope, condition: Condition, local: (name: string) => string): string | undefined {
  if (condition.kind !== 'filter') {
    if (scope.names.access(condition.name).column === undefined) return undefined
    local(condition.name)
    return 'true'
  }
  const { condition: checked } = condition.filter
  const keepsIt = isKept(scope, condition.name)
  return !keepsIt && isStraight(scope, checked) ? straightCode(scope.module, checked, local) : undefined
}

/** Whether it reads columns alone, or variables that do, and cannot fail if none of those holds a Failure. */
function isStraight(scope: Scope, checked: Checked): boolean {
  const reads = (name: string): boolean => {
    if (scope.names.access(name).column !== undefined) return true
    const variable = variableExpression(scope, name)
    return variable !== undefined && isStraight(scope, variable)
  }
  return referencesOf(checked).every(reads) && straightCode(scope.module, checked, name => name) !== undefined
}

function variableExpression(scope: Scope, name: string): Checked | undefined {
  const value = scope.scenario.variables.find(variable => variable.name === name)?.value
  return value?.kind === 'expression' ? value.checked : undefined
}

function loopStep(scope: Scope, kind: string, names: readonly string[], condition: string, body: string): string {
  const run = scope.module.freeName(kind, names.join('_').slice(0, 40))
  scope.module.add(`function ${run}(c) {
  for (let i = 0; i < c.recordCount; i++) {
    if (!(${condition})) continue
${body}
  }
}`)
  return `{ kind: '${kind}', names: ${JSON.stringify(names)}, run: ${run} }`
}

/** A statement that returns where no other filter needs to look at the record. */
function judgementCode(scope: Scope, condition: Condition): string {
  const judged = `if (judge(c, i, ${JSON.stringify(condition.name)}, ${verdictCode(scope, condition)})) return`
  return guarded(waitsOf(scope, condition), judged)
}

/** JavaScript conditions: what a condition waits for, since it is not known of every record at once. */
function waitsOf(scope: Scope, condition: Condition): readonly string[] {
  const doubted = entriesThatDoubt(condition, scope.planning)
  return entriesReadBy(condition.name, scope.planning).map(e => (doubted.includes(e) ? `${whenOf(e)} !== undefined` : isThere(e)))
}

function settleStep(scope: Scope, { entries, conditions }: Stage & { kind: 'settle' }): string {
  const settled = entries.map(entry => ({ entry, e: rememberEntries(scope.scenario).indexOf(entry) }))
  const judge = scope.module.freeName(
    'settle',
    entries
      .map(({ name }) => name)
      .join('_')
      .slice(0, 40),
  )
  const whens = settled.flatMap(({ entry, e }) => {
    if (entry.when === undefined) return []
    const when = expressionFunction(scope.module, entry.when, scope.names, `${entry.name}_when`, `when of state ${entry.name}`)
    const needed = neededFilters(entry, scope.scenario)
    if (needed.length === 0) return [`${whenOf(e)} = ${when.call}`]
    const final = scope.module.constant('final', `new Set(${JSON.stringify(needed)})`)
    return [`${whenOf(e)} = c.status[i] === 1 && ${final}.has(c.droppedBy[i]) ? false : ${when.call}`]
  })
  const verdicts = conditions.map(condition => judgementCode(scope, condition))
  if (verdicts.length > 0) scope.module.add(`function ${judge}_filters(c, i) {\n  ${verdicts.join('\n  ')}\n}`)
  const filters = verdicts.length === 0 ? [] : [`if ((c.status[i] & 1) === 0) ${judge}_filters(c, i)`]
  const defaults = settled.flatMap(({ entry, e }) => (entry.when === undefined ? [`${whenOf(e)} = c.status[i] === 0`] : []))
  const sets = settled.map(
    ({ entry, e }) =>
      `c.remembered[${e}].after[i] = ${whenOf(e)} === true ? ${setCall(scope, entry, e)} : ${whenOf(e)} === false ? undefined : ${whenOf(e)}`,
  )
  scope.module.add(`function ${judge}(c, i) {\n  ${[...whens, ...filters, ...defaults, ...sets].join('\n  ')}\n}`)
  return `{ kind: 'settle', entries: [${settled.map(({ e }) => e).join(', ')}], judge: ${judge} }`
}

/** A call that gives what the record leaves: all fields, those not in `set` as they were. */
function setCall(scope: Scope, { name, fields, set }: Remember, e: number): string {
  const expressions = set.flatMap(({ value }) => checkedOf(value))
  return generate(scope.module, expressions, scope.names, `${name}_set`, `set of state ${name}`, code => {
    const left = [...fields.keys()].map(field => {
      const member = set.find(entry => entry.name === field)
      return [field, member === undefined ? `before[${JSON.stringify(field)}]` : memberCode(member.value, code)] as const
    })
    return `const before = c.remembered[${e}].before[i]
  if (before instanceof Failure) return before
  return ${objectLiteral(left)}`
  }).call
}

const whenOf = (e: number): string => `c.remembered[${e}].when[i]`

const isThere = (e: number): string => `c.remembered[${e}].before[i] !== unset`

function guarded(conditions: readonly string[], statement: string): string {
  return conditions.length === 0 ? statement : `if (${conditions.join(' && ')}) ${statement}`
}
