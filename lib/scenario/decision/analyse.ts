// A decision as written becomes rows of typed cells. What would go wrong with a record is found here: rows that contradict each other,
// rows that are never chosen, cases that no row covers.
import type { Checked, Scope } from '../../language/checked.ts'
import type { Range } from '../../language/problem.ts'
import type { Diagnostic } from '../diagnostics.ts'
import { createReport, type Report } from '../report.ts'
import type { Decision, ForEach } from '../scenario.ts'
import type { DecisionSyntax } from '../syntax.ts'
import { decisionType } from './decision-type.ts'
import { judgeRows } from './judgement.ts'
import { readLoop } from './loop.ts'
import { readRules } from './rules.ts'
import { readTableRows, type TableRows } from './table-rows.ts'

export interface DecisionContext {
  /** Of the scenario, for messages. */
  readonly file: string
  /** The names that the decision may use. */
  readonly scope: Scope
  /** Takes the path of a CSV table as the scenario file writes it: relative to that file. */
  readonly readFile?: ((path: string) => string) | undefined
  /** Where a name is declared, for the notes of messages. */
  readonly declarationOf?: ((declaration: string) => Range | undefined) | undefined
}

export interface AnalysedDecision {
  /** Absent if there are errors. */
  readonly decision?: Decision
  readonly diagnostics: readonly Diagnostic[]
  /** All expressions that were read, for the use of names. */
  readonly expressions: readonly Checked[]
}

/** What reading headings, cells and rules needs. */
export interface DecisionReading {
  readonly name: string
  readonly scope: Scope
  readonly report: Report
  readonly readFile?: ((path: string) => string) | undefined
  readonly expressions: Checked[]
}

export function analyseDecision(syntax: DecisionSyntax, context: DecisionContext): AnalysedDecision {
  const report = createReport(context.file, context.declarationOf ?? (() => undefined))
  const expressions: Checked[] = []
  const name = syntax.name.value
  const outer: DecisionReading = { name, scope: context.scope, report, readFile: context.readFile, expressions }
  const loop = syntax.forEach && readLoop(syntax.forEach, outer)
  const reading: DecisionReading = loop ? { ...outer, scope: loop.scope } : outer
  const rows = readRows(syntax, reading)
  const diagnosticsOf = (): readonly Diagnostic[] => report.diagnostics
  const hasErrors = (): boolean => report.diagnostics.some(({ severity }) => severity === 'error')
  if (rows === undefined) return { diagnostics: diagnosticsOf(), expressions }
  checkSettings(syntax, rows, report)
  if (hasErrors()) return { diagnostics: diagnosticsOf(), expressions }
  const complete = judgeRows(syntax, rows, report)
  if (hasErrors()) return { diagnostics: diagnosticsOf(), expressions }
  return { decision: decisionOf(syntax, rows, { complete, forEach: loop?.forEach }), diagnostics: diagnosticsOf(), expressions }
}

function readRows(syntax: DecisionSyntax, reading: DecisionReading): TableRows | undefined {
  const { name, report } = reading
  const place = `Decision "${name}"`
  if (syntax.table && syntax.rules) {
    report.add('too-many-keys', { place, keys: '"table" and "rules"' }, syntax.range)
    return undefined
  }
  if (syntax.table) return readTableRows(syntax.table, reading)
  if (syntax.rules && syntax.rules.length > 0) return readRules(syntax.rules, reading)
  report.add('missing-key/one-of', { place, keys: '"table" and "rules"' }, syntax.range)
  return undefined
}

function decisionOf(
  syntax: DecisionSyntax,
  { inputs, outputs, rows, form }: TableRows,
  { complete, forEach }: { readonly complete: boolean; readonly forEach: ForEach | undefined },
): Decision {
  const hitPolicy = syntax.hitPolicy?.value ?? 'unique'
  const onMissing = syntax.onMissing?.value
  return {
    name: syntax.name.value,
    range: syntax.name.range,
    hitPolicy,
    ...(syntax.rank && { rank: { output: syntax.rank.output.value, order: syntax.rank.order.value } }),
    ...(syntax.limit && { limit: syntax.limit.value }),
    ...(onMissing && { onMissing }),
    ...(forEach && { forEach }),
    inputs,
    outputs,
    rows: rows.map(({ row }) => row),
    complete,
    form,
    type: decisionType({ hitPolicy, onMissing, outputs, forEach }),
  }
}

function checkSettings(syntax: DecisionSyntax, { outputs }: TableRows, report: Report): void {
  const hitPolicy = syntax.hitPolicy?.value ?? 'unique'
  const decision = syntax.name.value
  const { rank, limit, onMissing, forEach } = syntax
  if (rank) {
    const output = rank.output.value
    const ranked = outputs.find(({ name }) => name === output)
    const refuse = (reason: string): void => report.add('rank-without-order', { decision, output, reason }, rank.output.range)
    if (ranked === undefined) report.add('unknown-field', { owner: decision, field: output }, rank.output.range)
    else if (hitPolicy === 'unique' || hitPolicy === 'any')
      refuse(`only "first" and "collect" rank, and its hit policy is "${hitPolicy}"`)
    else if (ranked.type.kind !== 'error' && !ordered.has(ranked.type.kind))
      refuse(`values of type ${ranked.type.kind} have no order`)
  }
  if (limit && hitPolicy !== 'collect') {
    report.add(
      'setting-refused',
      { key: 'limit', reason: `only "collect" gives a list to cut, and the hit policy is "${hitPolicy}"` },
      limit.range,
    )
  } else if (limit && !(Number.isSafeInteger(limit.value) && limit.value >= 1)) {
    report.add('setting-range', { key: 'limit', needed: 'a whole number from 1', found: limit.value }, limit.range)
  }
  if (onMissing && hitPolicy === 'collect') {
    report.add(
      'setting-refused',
      { key: 'onMissing', reason: 'with "collect" the list is empty where no row holds' },
      onMissing.range,
    )
  }
  if (forEach && (hitPolicy === 'unique' || hitPolicy === 'any')) {
    report.add(
      'setting-refused',
      { key: 'forEach', reason: `only "first" and "collect" go over a list, and the hit policy is "${hitPolicy}"` },
      forEach.range,
    )
  }
}

const ordered = new Set(['int', 'double', 'decimal', 'string', 'timestamp', 'duration'])
