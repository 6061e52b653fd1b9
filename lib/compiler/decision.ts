// A decision as JavaScript: inputs are evaluated once, the row is found by an index, its outputs become one object of fixed shape.
import type { Checked } from '../language/checked.ts'
import { compareValues } from '../scenario/decision/domain.ts'
import type { Decision, Row } from '../scenario/scenario.ts'
import { buildIndex, type IndexTable } from './decision-index.ts'
import { searchCode } from './decision-search.ts'
import { literalCode } from './module-text.ts'

export interface DecisionEmit {
  /** JavaScript of an expression over locals that the caller has declared. */
  readonly expression: (checked: Checked) => { readonly code: string; readonly canFail: boolean }
  /** A module-level constant; gives its name. */
  readonly constant: (prefix: string, js: string) => string
  /** A computed field name under which each object keeps the index of its row. */
  readonly row?: string
  /** The local under which expressions read the element of `forEach`. */
  readonly element?: (name: string) => string
}

export interface CompiledDecision {
  /** Statements of a function body: returns the object, or the list of `collect`, or undefined where no row holds. */
  readonly body: string
  readonly canFail: boolean
  /** Functions for the module's top level. They depend on the table alone, not on how expressions are written. */
  readonly declarations: string
}

export function compileDecision(decision: Decision, emit: DecisionEmit): CompiledDecision {
  return new DecisionWriter(decision, emit).write()
}

/** Rows that one function tests, one switch holds: beyond, V8 stops to optimise. */
const mostRowsPerFunction = 60

// Locals begin with `$`, so that they hide nothing that expressions refer to.
class DecisionWriter {
  readonly #decision: Decision
  readonly #emit: DecisionEmit
  readonly #none: number
  #canFail = false
  #declarations = ''

  constructor(decision: Decision, emit: DecisionEmit) {
    this.#decision = decision
    this.#emit = emit
    this.#none = decision.rows.length
  }

  write(): CompiledDecision {
    const { hitPolicy, forEach } = this.#decision
    const judged = hitPolicy === 'collect' ? this.#collect() : this.#one()
    const { before, each, after } = judged
    const body =
      forEach === undefined
        ? [...before, ...each, ...after]
        : [
            ...before,
            `for (const ${this.#element} of ${this.#code(forEach.list)}) {`,
            ...each.map(line => `  ${line}`),
            '}',
            ...after,
          ]
    return { body: body.join('\n  '), canFail: this.#canFail, declarations: this.#declarations }
  }

  get #element(): string {
    const { forEach } = this.#decision
    return forEach === undefined ? '' : (this.#emit.element?.(forEach.element) ?? forEach.element)
  }

  #code(checked: Checked): string {
    const { code, canFail } = this.#emit.expression(checked)
    this.#canFail ||= canFail
    return code
  }

  // ---- Policies. `each` runs once, or for each element.

  #one(): Steps {
    const { rank, forEach, form } = this.#decision
    const ranked = rank === undefined ? undefined : this.#outputIndex(rank.output)
    if (ranked === undefined) {
      const found = ['const $row = $first', ...this.#outputStatements([]), `return ${this.#object()}`]
      const each = [...this.#firstRow(undefined), `if ($first !== ${this.#none}) {`, ...found.map(line => `  ${line}`), '}']
      return { before: [], each, after: ['return undefined'] }
    }
    const order = forEach === undefined && form === 'table' ? this.#orderByRank(ranked) : undefined
    if (order !== undefined) {
      // The ranks are known: the best row that holds is the first one in their order.
      const rowOf = this.#emit.constant('ranked', `[${order.join(', ')}]`)
      const each = [
        ...this.#firstRow(order),
        `if ($first === ${this.#none}) return undefined`,
        `const $row = ${rowOf}[$first]`,
        ...this.#outputStatements([]),
      ]
      return { before: [], each: [...each, `return ${this.#object()}`], after: [] }
    }
    const isBetter = this.#better(ranked, `$o${ranked}`, '$rank')
    const judge = [
      ...this.#outputStatements([ranked], 'only'),
      `if ($best === ${this.#none} || ${isBetter}) {`,
      '  $best = $row',
      `  $rank = $o${ranked}`,
    ]
    if (forEach !== undefined) judge.push(`  $element = ${this.#element}`)
    judge.push('}')
    const each = [...this.#allRows(), 'for (const $row of $rows) {', ...judge.map(line => `  ${line}`), '}']
    const chosen = [
      'const $row = $best',
      `const $o${ranked} = $rank`,
      ...(forEach === undefined ? [] : [`const ${this.#element} = $element`]),
    ]
    const after = [
      `if ($best === ${this.#none}) return undefined`,
      '{',
      ...[...chosen, ...this.#outputStatements([ranked]), `return ${this.#object()}`].map(line => `  ${line}`),
      '}',
    ]
    return { before: [`let $best = ${this.#none}, $rank${forEach === undefined ? '' : ', $element'}`], each, after }
  }

  #collect(): Steps {
    const { rank, limit } = this.#decision
    const cutsAtOnce = limit !== undefined && rank === undefined
    const judge = [
      ...(cutsAtOnce ? [`if ($found.length >= ${limit}) return $found`] : []),
      ...this.#outputStatements([]),
      `$found.push(${this.#object()})`,
    ]
    const each = [...this.#allRows(), 'for (const $row of $rows) {', ...judge.map(line => `  ${line}`), '}']
    const after: string[] = []
    if (rank !== undefined) {
      const ranked = this.#outputIndex(rank.output)
      const name = JSON.stringify(rank.output)
      const sign = (a: string, b: string): string => this.#better(ranked, `${a}[${name}]`, `${b}[${name}]`)
      // Array.prototype.sort is stable: ties stay in the order of the rows.
      after.push(`$found.sort(($a, $b) => ${sign('$a', '$b')} ? -1 : ${sign('$b', '$a')} ? 1 : 0)`)
      if (limit !== undefined) after.push(`if ($found.length > ${limit}) $found.length = ${limit}`)
    }
    return { before: ['const $found = []'], each, after: [...after, 'return $found'] }
  }

  // ---- Rows

  /** Declares `$first`: the first row that holds (with `order`: its place there), or the number of rows. */
  #firstRow(order: readonly number[] | undefined): readonly string[] {
    if (this.#decision.form === 'rules') return this.#firstRule(order ?? [...this.#decision.rows.keys()])
    const { inputs, table, names } = this.#inputs()
    const placeOf = new Map((order ?? []).map((row, place) => [row, place]))
    const index = buildIndex(table, { firstHit: true, ...(order && { order }) })
    const search = searchCode(index, {
      table,
      prefix: this.#prefix('row'),
      constant: this.#emit.constant,
      mode: 'first',
      placeOf: row => placeOf.get(row) ?? row,
      none: this.#none,
    })
    this.#declarations = search.declarations
    return [...inputs, `const $first = ${search.call(names)}`]
  }

  /** Declares `$rows`: all that hold, in file order. */
  #allRows(): readonly string[] {
    if (this.#decision.form === 'rules') return this.#allRules()
    const { inputs, table, names } = this.#inputs()
    const index = buildIndex(table, { firstHit: false })
    const search = searchCode(index, {
      table,
      prefix: this.#prefix('rows'),
      constant: this.#emit.constant,
      mode: 'all',
      placeOf: row => row,
      none: this.#none,
    })
    this.#declarations = search.declarations
    return [...inputs, 'const $rows = []', search.call(names), ...(search.unordered ? ['$rows.sort(($a, $b) => $a - $b)'] : [])]
  }

  #prefix(word: string): string {
    return `${word}_${this.#decision.name.replace(/[^A-Za-z0-9_]/g, '_')}_`
  }

  #inputs(): { readonly inputs: readonly string[]; readonly table: IndexTable; readonly names: readonly string[] } {
    const { inputs, rows } = this.#decision
    return {
      inputs: inputs.map((input, column) => `const $q${column} = ${this.#code(input)}`),
      names: inputs.map((_, column) => `$q${column}`),
      table: { columns: inputs.map(({ type, mayBeMissing }) => ({ type, mayBeMissing })), cells: rows.map(({ cells }) => cells) },
    }
  }

  #firstRule(order: readonly number[]): readonly string[] {
    const statements = [`let $first = ${this.#none}`]
    let isSure = false
    const tests: string[] = []
    for (const [place, row] of order.entries()) {
      const { when } = this.#decision.rows[row]!
      tests.push(when === undefined ? `$first = ${place}` : `if (${this.#code(when)}) $first = ${place}`)
      isSure = when === undefined
      if (isSure) break
    }
    for (const [number, chunk] of chunksOf(tests, mostRowsPerFunction).entries()) {
      const chain = chunk.join('\n  else ')
      if (tests.length <= mostRowsPerFunction) statements.push(chain)
      else statements.push(`${number === 0 ? ';' : `if ($first === ${this.#none}) `}(() => {\n  ${chain}\n  })()`)
    }
    return statements
  }

  #allRules(): readonly string[] {
    const tests = this.#decision.rows.map(({ when }, row) =>
      when === undefined ? `$rows.push(${row})` : `if (${this.#code(when)}) $rows.push(${row})`,
    )
    if (tests.length <= mostRowsPerFunction) return ['const $rows = []', ...tests]
    return [
      'const $rows = []',
      ...chunksOf(tests, mostRowsPerFunction).map(chunk => `;(() => {\n  ${chunk.join('\n  ')}\n  })()`),
    ]
  }

  // ---- Rank

  #outputIndex(name: string): number {
    return this.#decision.outputs.findIndex(output => output.name === name)
  }

  /** Rows from the best, ties in file order; undefined if a rank is computed. */
  #orderByRank(ranked: number): readonly number[] | undefined {
    const { rows, outputs, rank } = this.#decision
    const literals: unknown[] = []
    for (const { outputs: values } of rows) {
      const value = values[ranked]!
      if (!('literal' in value)) return undefined
      literals.push(value.literal)
    }
    const sign = rank!.order === 'descending' ? -1 : 1
    const { type } = outputs[ranked]!
    // toSorted is stable.
    return [...rows.keys()].toSorted((a, b) => sign * compareValues(literals[a], literals[b], type))
  }

  /** A JavaScript condition: whether `a` ranks before `b`. What is no number ranks last. */
  #better(ranked: number, a: string, b: string): string {
    const { type } = this.#decision.outputs[ranked]!
    const operator = this.#decision.rank!.order === 'descending' ? '>' : '<'
    switch (type.kind) {
      case 'timestamp':
        return `std.compareTimestamps(${a}, ${b}) ${operator} 0`
      case 'duration':
        return `std.compareDurations(${a}, ${b}) ${operator} 0`
      case 'string':
        return `std.compareStrings(${a}, ${b}) ${operator} 0`
      case 'double':
        return `(${a} ${operator} ${b} || ${b} !== ${b} && ${a} === ${a})`
      default:
        return `${a} ${operator} ${b}`
    }
  }

  // ---- Outputs

  /** Declares `$oN` for the outputs of `$row` that are no literal; without (or only) those of `known`. */
  #outputStatements(known: readonly number[], which: 'without' | 'only' = 'without'): readonly string[] {
    return this.#decision.outputs.flatMap((_, index) => {
      if (known.includes(index) !== (which === 'only')) return []
      return this.#outputStatement(index)
    })
  }

  #outputStatement(index: number): readonly string[] {
    const values = this.#decision.rows.map(({ outputs }) => outputs[index]!)
    const expressions = distinctExpressions(values)
    const name = `$o${index}`
    if (expressions.length === 0) return [`const ${name} = ${this.#literals(values)}`]
    const codes = expressions.map(expression => this.#code(expression))
    const allComputed = values.every(value => 'expression' in value)
    if (allComputed && codes.length === 1) return [`const ${name} = ${codes[0]}`]
    const cases = codes.map((code, number) => `case ${number}: ${name} = ${code}; break`)
    if (!allComputed) cases.push(`default: ${name} = ${this.#literals(values)}`)
    const numbers = new Map(expressions.map(({ source }, number) => [source, number]))
    const which = values.map(value => ('expression' in value ? numbers.get(value.expression.source)! : -1))
    const selector = `${this.#emit.constant('formulas', `[${which.join(', ')}]`)}[$row]`
    if (codes.length <= mostRowsPerFunction)
      return [`let ${name}`, `switch (${selector}) {`, ...cases.map(text => `  ${text}`), '}']
    // Each part a function of its own, so that V8 optimises those that run.
    const parts = chunksOf(cases.slice(0, codes.length), mostRowsPerFunction).map(
      (part, number) => `case ${number}: (() => { switch ($formula) {\n  ${part.join('\n  ')}\n  } })(); break`,
    )
    if (!allComputed) parts.push(cases.at(-1)!)
    return [
      `let ${name}`,
      `{ const $formula = ${selector}`,
      `switch (Math.floor($formula / ${mostRowsPerFunction})) {`,
      ...parts.map(text => `  ${text}`),
      '} }',
    ]
  }

  /** JavaScript of the literal in `$row`. */
  #literals(values: readonly Row['outputs'][number][]): string {
    const codes = values.map(value => ('literal' in value ? literalCode(value.literal) : 'undefined'))
    const distinct = [...new Set(codes)]
    if (distinct.length === 1 && !distinct[0]!.startsWith('new ')) return distinct[0]!
    return `${this.#emit.constant('outputs', `[${codes.join(', ')}]`)}[$row]`
  }

  #object(): string {
    const { outputs, forEach } = this.#decision
    const fields = outputs.map(({ name }, index) => `${fieldName(name)}: $o${index}`)
    if (this.#emit.row !== undefined) fields.push(`[${this.#emit.row}]: $row`)
    if (forEach !== undefined) fields.unshift(`${fieldName(forEach.element)}: ${this.#element}`)
    return `{ ${fields.join(', ')} }`
  }
}

interface Steps {
  readonly before: readonly string[]
  readonly each: readonly string[]
  readonly after: readonly string[]
}

/** Computed, so that "__proto__" is a field like any other. */
const fieldName = (name: string): string => (name === '__proto__' ? '["__proto__"]' : JSON.stringify(name))

function distinctExpressions(values: readonly Row['outputs'][number][]): readonly Checked[] {
  const bySource = new Map<string, Checked>()
  for (const value of values)
    if ('expression' in value && !bySource.has(value.expression.source)) bySource.set(value.expression.source, value.expression)
  return [...bySource.values()]
}

function chunksOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const chunks: T[][] = []
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size))
  return chunks
}
