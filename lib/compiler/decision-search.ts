// JavaScript that finds rows by the index: one function per inner node, leaves packed into functions of at most 60 rows, large look-ups in
// constants. All of it stands at module level and knows only the inputs' values.
import type { Type } from '../language/types.ts'
import type { Bound, Cell } from '../scenario/scenario.ts'
import type { HashGroup, Index, IndexColumn, IndexTable, RowTests } from './decision-index.ts'
import { literalCode } from './module-text.ts'

export interface SearchOptions {
  readonly table: IndexTable
  /** Prefix of the functions' names: an identifier that nothing else in the module begins with. */
  readonly prefix: string
  readonly constant: (prefix: string, js: string) => string
  /** `first`: gives the place (`order`) of the first row that holds, or `none`. `all`: pushes the rows that hold to a list. */
  readonly mode: 'first' | 'all'
  /** By row: what `first` gives; smaller is earlier. */
  readonly placeOf: (row: number) => number
  readonly none: number
}

export interface Search {
  /** `f(q0, q1)`, or `f($rows, q0, q1)` for `all`. */
  readonly call: (inputs: readonly string[]) => string
  readonly declarations: string
  /** Whether `all` may push rows in another order than theirs. */
  readonly unordered: boolean
}

const mostRowsPerFunction = 60

export function searchCode(index: Index, options: SearchOptions): Search {
  const writer = new SearchWriter(options)
  const name = writer.functionOf(index)
  return {
    call: inputs => `${name}(${[...(options.mode === 'all' ? ['$rows'] : []), ...inputs].join(', ')})`,
    declarations: writer.declarations.join('\n'),
    unordered: writer.unordered,
  }
}

class SearchWriter {
  readonly #options: SearchOptions
  readonly #inputs: readonly string[]
  readonly #parameters: string
  readonly #functions = new Map<Index, string>()
  readonly declarations: string[] = []
  unordered = false
  #count = 0

  constructor(options: SearchOptions) {
    this.#options = options
    this.#inputs = options.table.columns.map((_, column) => `q${column}`)
    this.#parameters = [...(options.mode === 'all' ? ['$rows'] : []), ...this.#inputs].join(', ')
  }

  /** Name of a function that judges the rows of the index. */
  functionOf(index: Index): string {
    const known = this.#functions.get(index)
    if (known !== undefined) return known
    const name = this.#freeName()
    this.#functions.set(index, name)
    this.#declare(name, this.#parameters, this.#statements(index))
    return name
  }

  #freeName(): string {
    return `${this.#options.prefix}${this.#count++}`
  }

  #declare(name: string, parameters: string, statements: readonly string[]): void {
    this.declarations.push(`function ${name}(${parameters}) {\n  ${statements.join('\n  ')}\n}`)
  }

  get #isAll(): boolean {
    return this.#options.mode === 'all'
  }

  /** How the judgement ends where no row is left. */
  get #end(): string {
    return this.#isAll ? 'return' : `return ${this.#options.none}`
  }

  #call(name: string, more: readonly string[] = []): string {
    return `${name}(${[...more, this.#parameters].filter(text => text !== '').join(', ')})`
  }

  /** Statements that always return. */
  #statements(index: Index): readonly string[] {
    switch (index.kind) {
      case 'rows':
        return this.#rows(index.rows)
      case 'hash':
        return this.#hash(index)
      case 'search':
        return this.#search(index)
      case 'cut': {
        const { column, point, belowIncludesPoint } = index
        const high = { value: point, inclusive: belowIncludesPoint }
        const isBelow = boundTest(this.#inputs[column]!, '<', high, this.#options.table.columns[column]!.type)
        return [`if (${isBelow}) ${this.#inline(index.below)}`, this.#inline(index.above)]
      }
      case 'there': {
        const outside = this.#outside(index.column)
        const test = outside === undefined ? [] : [`if (${outside}) ${this.#inline(index.otherwise)}`]
        return [...test, this.#inline(index.index)]
      }
      case 'both': {
        const [left, right] = [this.functionOf(index.left), this.functionOf(index.right)]
        if (!this.#isAll) return [`return Math.min(${this.#call(left)}, ${this.#call(right)})`]
        this.unordered = true
        return [`${this.#call(left)}`, `${this.#call(right)}`]
      }
    }
  }

  #rows(rows: readonly RowTests[]): readonly string[] {
    if (rows.length <= mostRowsPerFunction) return [...rows.map(row => this.#row(row)), ...this.#endAfter(rows)]
    const statements: string[] = []
    for (let start = 0; start < rows.length; start += mostRowsPerFunction) {
      const name = this.#freeName()
      this.#declare(name, this.#parameters, this.#rows(rows.slice(start, start + mostRowsPerFunction)))
      if (this.#isAll) statements.push(this.#call(name))
      else statements.push(`const r${start} = ${this.#call(name)}`, `if (r${start} !== ${this.#options.none}) return r${start}`)
    }
    return [...statements, this.#end]
  }

  #endAfter(rows: readonly RowTests[]): readonly string[] {
    return !this.#isAll && rows.at(-1)?.tests.length === 0 ? [] : [this.#end]
  }

  #row({ row, tests }: RowTests): string {
    const hit = this.#isAll ? `$rows.push(${row})` : `return ${this.#options.placeOf(row)}`
    const { columns, cells } = this.#options.table
    const conditions = tests.map(column => cellTest(this.#inputs[column]!, cells[row]![column]!, columns[column]!))
    return conditions.length === 0 ? hit : `if (${conditions.join(' && ')}) ${hit}`
  }

  // ---- Inner nodes

  #hash({ column, groups, otherwise }: Index & { kind: 'hash' }): readonly string[] {
    const input = this.#inputs[column]!
    const rowCount = groups.reduce((sum, { index }) => sum + leafSize(index), leafSize(otherwise))
    if (rowCount <= mostRowsPerFunction) {
      const cases = groups.map(({ value, index }) => `case ${literalCode(value)}: ${this.#inline(index)}`)
      return [`switch (${input}) {`, ...cases.map(text => `  ${text}`), `  default: ${this.#inline(otherwise)}`, '}']
    }
    const targets = this.#targets(groups.map(({ index }) => index))
    const entries = groups.map(({ value }: HashGroup, g) => `[${literalCode(value)}, ${targets.codes[g]}]`)
    const map = this.#options.constant('groups', `new Map([${entries.join(', ')}])`)
    return [`const g = ${map}.get(${input})`, `if (g === undefined) ${this.#inline(otherwise)}`, ...targets.jump]
  }

  #search({ column, points, segments, otherwise }: Index & { kind: 'search' }): readonly string[] {
    const input = this.#inputs[column]!
    const { type } = this.#options.table.columns[column]!
    const targets = this.#targets(segments)
    const pointList = this.#options.constant('points', `[${points.map(literalCode).join(', ')}]`)
    const segmentList = this.#options.constant('segments', `[${targets.codes.join(', ')}]`)
    const outside = this.#outside(column)
    return [
      ...(outside === undefined ? [] : [`if (${outside}) ${this.#inline(otherwise)}`]),
      `let low = 0, high = ${points.length}`,
      'while (low < high) {',
      '  const middle = (low + high) >>> 1',
      `  if (${isBelow(`${pointList}[middle]`, input, type)}) low = middle + 1`,
      '  else high = middle',
      '}',
      `const g = ${segmentList}[low < ${points.length} && ${isSame(`${pointList}[low]`, input, type)} ? 2 * low + 1 : 2 * low]`,
      ...targets.jump,
    ]
  }

  /** Whether the input lies in no order: it is missing, or no number. Undefined if that cannot be. */
  #outside(column: number): string | undefined {
    const input = this.#inputs[column]!
    const { type, mayBeMissing } = this.#options.table.columns[column]!
    const tests = [
      ...(mayBeMissing ? [`${input} === undefined`] : []),
      ...(type.kind === 'double' ? [`${input} !== ${input}`] : []),
    ]
    return tests.length === 0 ? undefined : tests.join(' || ')
  }

  /** One statement that always returns. */
  #inline(index: Index): string {
    if (index.kind !== 'rows')
      return this.#isAll ? `{ ${this.#call(this.functionOf(index))}; return }` : `return ${this.#call(this.functionOf(index))}`
    const statements = this.#rows(index.rows)
    return statements.length === 1 ? statements[0]! : `{ ${statements.join('; ')} }`
  }

  /**
   * A number per target, and statements that go where `g` says: below 0 it is the complement of the one row that holds (or of `none`); else
   * the number of a function (upper bits) and of a case in it.
   */
  #targets(indexes: readonly Index[]): { readonly codes: readonly number[]; readonly jump: readonly string[] } {
    const chunks: string[][] = [[]]
    let size = 0
    const known = new Map<Index, number>()
    const codes = indexes.map(index => {
      if (index.kind === 'rows' && index.rows.length === 0) return ~this.#options.none
      if (index.kind === 'rows' && index.rows.length === 1 && index.rows[0]!.tests.length === 0) {
        return ~(this.#isAll ? index.rows[0]!.row : this.#options.placeOf(index.rows[0]!.row))
      }
      const before = known.get(index)
      if (before !== undefined) return before
      const rowCount = leafSize(index)
      if (size + rowCount > mostRowsPerFunction && size > 0) {
        chunks.push([])
        size = 0
      }
      size += rowCount
      const cases = chunks.at(-1)!
      const code = (chunks.length - 1) * 64 + cases.length
      known.set(index, code)
      cases.push(`case ${cases.length}: ${this.#inline(index)}`)
      return code
    })
    const surely = this.#isAll ? `{ if (g !== ${~this.#options.none}) $rows.push(~g); return }` : 'return ~g'
    const jump = [`if (g < 0) ${surely}`]
    if (chunks[0]!.length === 0) return { codes, jump }
    const names = chunks.map(cases => {
      const name = this.#freeName()
      this.#declare(name, ['$case', this.#parameters].join(', '), ['switch ($case) {', ...cases.map(text => `  ${text}`), '}'])
      return name
    })
    const target = names.length === 1 ? names[0]! : `${this.#options.constant('functions', `[${names.join(', ')}]`)}[g >> 6]`
    return { codes, jump: [...jump, `${this.#isAll ? '' : 'return '}${this.#call(target, ['g & 63'])}`] }
  }
}

/** How much an index weighs in the function that holds it: its rows, or one call. */
const leafSize = (index: Index): number =>
  index.kind === 'rows' && index.rows.length <= mostRowsPerFunction ? Math.max(1, index.rows.length) : 1

// ---- Cells

/** A JavaScript condition: whether the value in `input` fits the cell. */
export function cellTest(input: string, cell: Cell, { type, mayBeMissing }: IndexColumn): string {
  switch (cell.kind) {
    case 'any':
      return 'true'
    case 'missing':
      return `${input} === undefined`
    case 'oneOf': {
      const test = cell.values.map(value => equalityTest(input, value, type)).join(' || ')
      return cell.values.length === 1 ? guarded(test) : guarded(`(${test})`)
    }
    case 'noneOf': {
      const test = cell.values.map(value => `!(${equalityTest(input, value, type)})`).join(' && ')
      return mayBeMissing ? `${input} !== undefined && ${test}` : test
    }
    case 'range': {
      const bounds = [
        ...(cell.low ? [boundTest(input, '>', cell.low, type)] : []),
        ...(cell.high ? [boundTest(input, '<', cell.high, type)] : []),
      ]
      return guarded(bounds.join(' && '))
    }
  }

  // undefined compares false with numbers and texts, but it has no seconds, and compareStrings takes texts.
  function guarded(test: string): string {
    return mayBeMissing && (isInstant(type) || test.includes('std.')) ? `${input} !== undefined && ${test}` : test
  }
}

const isInstant = ({ kind }: Type): boolean => kind === 'timestamp' || kind === 'duration'

function equalityTest(input: string, value: unknown, type: Type): string {
  if (!isInstant(type)) return `${input} === ${literalCode(value)}`
  const { seconds, nanos } = value as { seconds: number; nanos: number }
  return `(${input}.seconds === ${seconds} && ${input}.nanos === ${nanos})`
}

function boundTest(input: string, operator: '<' | '>', { value, inclusive }: Bound, type: Type): string {
  const compared = inclusive ? `${operator}=` : operator
  if (isInstant(type)) {
    const { seconds, nanos } = value as { seconds: number; nanos: number }
    return `(${input}.seconds ${operator} ${seconds} || ${input}.seconds === ${seconds} && ${input}.nanos ${compared} ${nanos})`
  }
  if (type.kind === 'string' && hasSurrogates(value as string))
    return `std.compareStrings(${input}, ${literalCode(value)}) ${compared} 0`
  return `${input} ${compared} ${literalCode(value)}`
}

// UTF-16 order differs from code point order only where both texts have a unit from U+D800 on.
const hasSurrogates = (text: string): boolean => /[\ud800-\uffff]/.test(text)

function isBelow(point: string, input: string, type: Type): string {
  if (isInstant(type))
    return `${point}.seconds < ${input}.seconds || ${point}.seconds === ${input}.seconds && ${point}.nanos < ${input}.nanos`
  return type.kind === 'string' ? `std.compareStrings(${point}, ${input}) < 0` : `${point} < ${input}`
}

function isSame(point: string, input: string, type: Type): string {
  return isInstant(type) ? `${point}.seconds === ${input}.seconds && ${point}.nanos === ${input}.nanos` : `${point} === ${input}`
}
