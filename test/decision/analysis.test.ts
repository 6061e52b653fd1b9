import { describe, expect, test } from 'vitest'
import { Duration } from '../../lib/language/standard/values.ts'
import { analysed, complaints, type DecisionText } from './sources.ts'

const nextBestAction: DecisionText = {
  hitPolicy: 'first',
  rank: 'score descending',
  onMissing: 'drop',
  table: `| profile.plan | abroad | event.amount || action        | channel | score                       |
| ------------ | ------ | ------------ || ------------- | ------- | --------------------------- |
| basic        | -      | >= 0.2       || OFFER_UPGRADE | inApp   | = event.amount * 18.0       |
| -            | true   | -            || ROAMING_PACK  | push    | = event.amount * 9.5 + 1.0  |
`,
}

test('a table becomes typed rows', () => {
  const { decision, diagnostics } = analysed(nextBestAction)
  expect(diagnostics).toEqual([])
  expect(decision?.inputs.map(({ source, type }) => [source, type.kind])).toEqual([
    ['profile.plan', 'enum'],
    ['abroad', 'bool'],
    ['event.amount', 'double'],
  ])
  expect(decision?.outputs.map(({ name, type }) => [name, type.kind])).toEqual([
    ['action', 'string'],
    ['channel', 'string'],
    ['score', 'double'],
  ])
  expect(decision?.rows.map(({ cells }) => cells)).toEqual([
    [{ kind: 'oneOf', values: ['basic'] }, { kind: 'any' }, { kind: 'range', low: { value: 0.2, inclusive: true } }],
    [{ kind: 'any' }, { kind: 'oneOf', values: [true] }, { kind: 'any' }],
  ])
  expect(decision?.rows[0]?.outputs.slice(0, 2)).toEqual([{ literal: 'OFFER_UPGRADE' }, { literal: 'inApp' }])
  expect(decision).toMatchObject({
    hitPolicy: 'first',
    rank: { output: 'score', order: 'descending' },
    onMissing: 'drop',
    complete: false,
  })
})

const cellOf = (heading: string, cell: string): unknown =>
  analysed({ hitPolicy: 'collect', table: `| ${heading} || y |\n| ${cell} || 1 |` }).decision?.rows[0]?.cells[0]

test.each<[string, string, unknown]>([
  ['event.kind', '-', { kind: 'any' }],
  ['event.kind', '', { kind: 'any' }],
  ['event.kind', 'gold', { kind: 'oneOf', values: ['gold'] }],
  ['event.kind', 'basic, gold', { kind: 'oneOf', values: ['basic', 'gold'] }],
  ['event.kind', '"basic, gold"', { kind: 'oneOf', values: ['basic, gold'] }],
  ['event.kind', '"a|b", \'c || d\'', { kind: 'oneOf', values: ['a|b', 'c || d'] }],
  ['event.kind', '" outer "', { kind: 'oneOf', values: [' outer '] }],
  ['event.kind', '"-"', { kind: 'oneOf', values: ['-'] }],
  ['event.kind', '"missing"', { kind: 'oneOf', values: ['missing'] }],
  ['event.kind', '""', { kind: 'oneOf', values: [''] }],
  ['event.kind', "It's", { kind: 'oneOf', values: ["It's"] }],
  ['event.kind', '"say \\"hi\\""', { kind: 'oneOf', values: ['say "hi"'] }],
  ['event.kind', '!= PL', { kind: 'noneOf', values: ['PL'] }],
  ['event.kind', '!= PL, DE', { kind: 'noneOf', values: ['PL', 'DE'] }],
  ['event.kind', '>= m', { kind: 'range', low: { value: 'm', inclusive: true } }],
  ['event.?country', 'missing', { kind: 'missing' }],
  ['event.count', '5', { kind: 'oneOf', values: [5] }],
  ['event.count', '-5', { kind: 'oneOf', values: [-5] }],
  ['event.count', '9007199254740993', { kind: 'oneOf', values: [9007199254740993n] }],
  ['event.count', '[5..10)', { kind: 'range', low: { value: 5, inclusive: true }, high: { value: 10, inclusive: false } }],
  ['event.count', '(-2..-1]', { kind: 'range', low: { value: -2, inclusive: false }, high: { value: -1, inclusive: true } }],
  ['event.amount', '< 5', { kind: 'range', high: { value: 5, inclusive: false } }],
  ['event.amount', '>0.25', { kind: 'range', low: { value: 0.25, inclusive: false } }],
  ['profile.balance', '<= 9.5', { kind: 'range', high: { value: 950, inclusive: true } }],
  [
    'profile.balance',
    '[5..10)',
    { kind: 'range', low: { value: 500, inclusive: true }, high: { value: 1000, inclusive: false } },
  ],
  ['abroad', 'true', { kind: 'oneOf', values: [true] }],
  ['event.at - event.at', '< 12h', { kind: 'range', high: { value: new Duration(43_200, 0), inclusive: false } }],
])('in the column %s the cell %s is read', (heading, cell, expected) => {
  expect(cellOf(heading, cell)).toEqual(expected)
})

describe('what a cell cannot be', () => {
  test.each([
    ['event.count', 'many', '[literal-type] "many" is no int'],
    ['event.count', '0.5', '[literal-type] "0.5" is no int'],
    ['abroad', 'yes', '[literal-type] "yes" is no bool'],
    ['profile.balance', '9.505', '[literal-type] "9.505" is no decimal(2)'],
    ['profile.plan', 'golden', '[never-true] "golden" of column "profile.plan" can never be true'],
    ['event.count', '[10..5)', '[never-true] "[10..5)" of column "event.count" can never be true'],
    ['event.count', '(5..5)', '[never-true] "(5..5)" of column "event.count" can never be true'],
    ['event.kind', 'missing', '[never-true] "missing" of column "event.kind" can never be true'],
    ['profile.plan', '!= basic, gold', '[never-true] "!= basic, gold" of column "profile.plan" can never be true'],
    [
      'profile.plan',
      '>= gold',
      '[cell-syntax] A cell of this column is "-", a literal of type basic | gold, several between commas, "!= x", found ">= gold"',
    ],
    [
      'event.count',
      '= 5',
      '[cell-syntax] A cell of this column is "-", a literal of type int, several between commas, "!= x", a comparison as "< x", a range as "[x..y)", found "= 5"',
    ],
    [
      'event.kind',
      'a,,b',
      '[cell-syntax] A cell of this column is "-", a text, several between commas, "!= x", a comparison as "< x", a range as "[x..y)", found "a,,b"',
    ],
    [
      'event.tags',
      'a',
      '[type-mismatch] A heading of decision table "offer" needs a value that cells can be compared with, found list<string>',
    ],
  ])('column %s, cell %s', (heading, cell, expected) => {
    expect(complaints({ hitPolicy: 'collect', table: `| ${heading} || y |\n| ${cell} || 1 |` })).toEqual([expected])
  })

  test('a text outside the enum has a suggestion when sure', () => {
    const [found] = analysed({ hitPolicy: 'collect', table: '| profile.plan || y |\n| goldd || 1 |' }).diagnostics
    expect(found).toMatchObject({ id: 'never-true', suggestion: 'gold', range: { start: 24, end: 29 } })
  })
})

const outputTypes = (heading: string, ...cells: string[]): unknown => {
  const { decision, diagnostics } = analysed({
    hitPolicy: 'collect',
    table: ['| event.kind || ' + heading + ' |', ...cells.map(cell => `| - || ${cell} |`)].join('\n'),
  })
  return decision ? decision.outputs[0]?.type : diagnostics.map(({ id, message }) => `[${id}] ${message}`)
}

describe('the type of an output', () => {
  test.each<[string, string[], unknown]>([
    ['y', ['1', '-2'], { kind: 'int' }],
    ['y', ['1', '2.5'], { kind: 'double' }],
    ['y', ['true', 'false'], { kind: 'bool' }],
    ['y', ['true', '1'], { kind: 'string' }],
    ['y', ['1', 'one'], { kind: 'string' }],
    ['y', ['"1"', '2'], { kind: 'string' }],
    ['y', ['007'], { kind: 'string' }],
    ['y: decimal(2)', ['1', '2.50'], { kind: 'decimal', digits: 2 }],
    ['y: string', ['1'], { kind: 'string' }],
    ['y', ['= event.amount', '= event.amount * 2.0'], { kind: 'double' }],
    ['y', ['1.5', '= event.amount'], { kind: 'double' }],
    ['y: double', ['0', '= event.amount'], { kind: 'double' }],
    ['y', ['= profile.plan', 'other'], { kind: 'string' }],
    ['y', ['1', '= event.amount'], ['[output-type] Output "y" of decision "offer" is int, and this cell is double']],
    ['y: int', ['one'], ['[output-type] Output "y" of decision "offer" is int, and this cell is "one"']],
    ['y', ['-'], ['[cell-syntax] A cell of this column is a literal or "= expression", found "-"']],
    ['y', ['=5'], ['[cell-syntax] A cell of this column is a literal or "= expression", found "=5"']],
    ['y: money', ['1'], ['[unknown-type] There is no type "money"']],
  ])('%s with %j', (heading, cells, expected) => {
    expect(outputTypes(heading, ...cells)).toEqual(expected)
  })

  test('a quoted output keeps pipes and blanks; another keeps its commas and quotes', () => {
    const { decision } = analysed({ hitPolicy: 'collect', table: '| abroad || a | b |\n| - || " x || y " | Come in, "friend" |' })
    expect(decision?.rows[0]?.outputs).toEqual([{ literal: ' x || y ' }, { literal: 'Come in, "friend"' }])
  })
})

describe('rows against the hit policy', () => {
  const table = (...rows: string[]): string =>
    ['| profile.plan | event.count || y |', ...rows.map(row => `| ${row} |`)].join('\n')
  test.each<[string, DecisionText, readonly string[]]>([
    ['unique rows apart', { hitPolicy: 'unique', table: table('basic | - || 1', 'gold | < 5 || 2', 'gold | >= 5 || 3') }, []],
    ['no policy is unique', { table: table('basic | - || 1', 'gold | < 5 || 2', 'gold | >= 5 || 3') }, []],
    [
      'unique rows that meet',
      { hitPolicy: 'unique', table: table('basic | - || 1', '- | < 5 || 1', 'gold | >= 5 || 3') },
      ['[overlapping-rows] Rows 1 and 2 of decision table "offer" can hold together'],
    ],
    ['any with equal outputs', { hitPolicy: 'any', table: table('basic | - || 1', '- | < 5 || 1', 'gold | >= 5 || 3') }, []],
    [
      'any with unequal outputs',
      { hitPolicy: 'any', table: table('basic | - || 1', '- | < 5 || 2', 'gold | >= 5 || 3') },
      [
        '[overlapping-rows/any] Rows 1 and 2 of decision table "offer" can hold together with different outputs'.replace(
          '/any',
          '',
        ),
      ],
    ],
    [
      'a case without a row',
      { hitPolicy: 'unique', table: table('basic | - || 1', 'gold | > 5 || 2') },
      ['[missing-rows] Decision table "offer" has no row for profile.plan gold, event.count 4, and no "onMissing"'],
    ],
    ['ints leave no gap', { hitPolicy: 'first', table: table('basic | - || 1', 'gold | > 5 || 2', 'gold | < 6 || 2') }, []],
    ['a case without a row may be dropped', { hitPolicy: 'unique', onMissing: 'drop', table: table('basic | - || 1') }, []],
    [
      'a row behind one that accepts all',
      { hitPolicy: 'first', table: table('- | - || 1', 'gold | - || 2') },
      ['[unreachable-row] Row 2 of decision table "offer" can never be chosen'],
    ],
    [
      'a row that two rows hide together',
      { hitPolicy: 'first', table: table('basic | - || 1', 'gold | < 5 || 2', '- | < 3 || 3', '- | - || 4') },
      ['[unreachable-row] Row 3 of decision table "offer" can never be chosen'],
    ],
    ['with rank every row counts', { hitPolicy: 'first', rank: 'y descending', table: table('- | - || 1', 'gold | - || 2') }, []],
    ['collect needs nothing', { hitPolicy: 'collect', table: table('basic | - || 1', 'basic | < 5 || 2') }, []],
    [
      'rank by what has no order',
      { hitPolicy: 'first', rank: 'y descending', table: table('- | - || true') },
      ['[rank-without-order] Decision "offer" cannot be ranked by "y": values of type bool have no order'],
    ],
    [
      'rank of a policy that takes none',
      { hitPolicy: 'unique', rank: 'y descending', table: table('- | - || 1') },
      [
        '[rank-without-order] Decision "offer" cannot be ranked by "y": only "first" and "collect" rank, and its hit policy is "unique"',
      ],
    ],
    [
      'rank by nothing',
      { hitPolicy: 'first', rank: 'z descending', table: table('- | - || 1') },
      ['[unknown-field] "offer" has no field "z"'],
    ],
    [
      'limit without a list',
      { hitPolicy: 'first', limit: 2, table: table('- | - || 1') },
      ['[setting-refused] "limit" cannot be set: only "collect" gives a list to cut, and the hit policy is "first"'],
    ],
  ])('%s', (_, text, expected) => {
    expect(complaints(text)).toEqual(expected)
  })

  test('a heading that stands twice is one question', () => {
    const twice = '| event.count | event.count || y |\n| >= 0 | < 5 || 1 |\n| >= 5 | - || 2 |\n| < 0 | - || 3 |'
    expect(complaints({ hitPolicy: 'unique', table: twice })).toEqual([])
  })

  test('a missing value needs a row, too', () => {
    const text: DecisionText = { hitPolicy: 'unique', table: '| event.?country || y |\n| PL || 1 |\n| != PL || 2 |' }
    expect(complaints(text)).toEqual([
      '[missing-rows] Decision table "offer" has no row for event.?country missing, and no "onMissing"',
    ])
    expect(complaints({ ...text, table: `${text.table}\n| missing || 3 |` })).toEqual([])
  })

  test('notes tell a case, and what to do', () => {
    const overlapping = analysed({ hitPolicy: 'unique', table: table('basic | - || 1', '- | < 5 || 1', 'gold | >= 5 || 3') })
    expect(overlapping.diagnostics[0]?.notes.map(({ message }) => message)).toEqual([
      'Both hold for profile.plan basic, event.count 4.',
      'Row 1:',
      'With the hit policy "first" the upper one would be chosen.',
    ])
    const unreachable = analysed({ hitPolicy: 'first', table: table('- | - || 1', 'gold | - || 2') })
    expect(unreachable.diagnostics[0]?.notes.map(({ message }) => message)).toEqual([
      'With the hit policy "first", row 1 already accepts every record. Move row 2 above row 1, or remove it.',
    ])
  })

  test('a table that covers every case is complete', () => {
    const completeness = (text: DecisionText): boolean | undefined => analysed(text).decision?.complete
    expect(completeness({ hitPolicy: 'first', table: table('basic | - || 1', '- | - || 2') })).toBe(true)
    expect(completeness({ hitPolicy: 'first', onMissing: 'drop', table: table('basic | - || 1') })).toBe(false)
    // 0.0 / 0.0 is neither.
    expect(completeness({ hitPolicy: 'first', table: '| event.amount / event.amount || y |\n| < 5 || 1 |\n| >= 5 || 2 |' })).toBe(
      false,
    )
  })
})

describe('the shape of a table', () => {
  test.each<[string, string, readonly string[]]>([
    [
      'a row without separator',
      '| abroad || y |\n| true | 1 |',
      ['[cell-count] Row 1 of decision table "offer" has no "||" between inputs and outputs'],
    ],
    [
      'a row that is too long',
      '| abroad || y |\n| true | - || 1 |',
      ['[cell-count] Row 1 of decision table "offer" has 2 input and 1 output cells, its heading 1 input and 1 output'],
    ],
    [
      'a heading without separator',
      '| abroad | y |\n| true | 1 |',
      ['[cell-count] The heading of decision table "offer" has no "||" between inputs and outputs'],
    ],
    ['no row', '| abroad || y |\n| --- || --- |', ['[wrong-shape] "table" needs rows under its heading, found none']],
    ['nothing', '\n \n', ['[wrong-shape] "table" needs a heading and rows, found nothing']],
    ['an unknown name', '| abraod || y |\n| true || 1 |', ['[unknown-name] Nothing is called "abraod" here']],
    [
      'an output twice',
      '| abroad || y | y |\n| true || 1 | 2 |',
      ['[duplicate-name] "y" is the name of two things: an output and an output'],
    ],
  ])('%s', (_, table, expected) => {
    expect(complaints({ hitPolicy: 'collect', table })).toEqual(expected)
  })

  test('pipes in quotes do not split, in headings and expressions neither', () => {
    const { decision, diagnostics } = analysed({
      hitPolicy: 'collect',
      table: `| event.kind == "a|b" | event.kind || y |\n| true | "|" || = event.kind + '||' |`,
    })
    expect(diagnostics).toEqual([])
    expect(decision?.inputs[0]?.source).toBe('event.kind == "a|b"')
    expect(decision?.rows[0]?.outputs[0]).toMatchObject({ expression: { source: "event.kind + '||'" } })
  })
})

describe('CSV', () => {
  const csv = (text: string): { readonly paths: string[]; readonly read: (path: string) => string } => {
    const paths: string[] = []
    const read = (path: string): string => {
      paths.push(path)
      return text
    }
    return { paths, read }
  }

  test('an empty column stands for ||, and its own quotes go first', () => {
    const { paths, read } = csv(
      'profile.plan,event.kind,,action,price\r\nbasic,"a, b",,"Come in, ""friend""",1\r\n\r\n-,"""x,y""",,B,2\r\n',
    )
    const { decision, diagnostics } = analysed({ hitPolicy: 'collect', table: '../tables/offers.csv' }, read)
    expect(diagnostics).toEqual([])
    expect(paths).toEqual(['../tables/offers.csv'])
    expect(decision?.rows.map(({ cells, outputs }) => [cells, outputs])).toEqual([
      [
        [
          { kind: 'oneOf', values: ['basic'] },
          { kind: 'oneOf', values: ['a', 'b'] },
        ],
        [{ literal: 'Come in, "friend"' }, { literal: 1 }],
      ],
      [
        [{ kind: 'any' }, { kind: 'oneOf', values: ['x,y'] }],
        [{ literal: 'B' }, { literal: 2 }],
      ],
    ])
  })

  test('a mistake is told with file and line', () => {
    const { read } = csv('profile.plan,,y\nbasic,,1\n\nsilver,,2\n')
    const { diagnostics } = analysed({ hitPolicy: 'collect', table: 'offers.csv' }, read)
    expect(diagnostics.map(({ message, notes }) => [message, notes.at(-1)?.message])).toEqual([
      ['"silver" of column "profile.plan" can never be true', 'The row stands at functions/offers.csv:4.'],
    ])
  })

  test('a file that is not there is told', () => {
    const read = (): string => {
      throw new Error('no such file')
    }
    expect(complaints({ hitPolicy: 'collect', table: 'offers.csv' }, read)).toEqual([
      '[wrong-shape] "table" needs a table or the path of a CSV file, found "functions/offers.csv", which cannot be read',
    ])
  })
})

describe('rules', () => {
  test('become rows with conditions; a rule without one holds always', () => {
    const { decision, diagnostics } = analysed({
      hitPolicy: 'first',
      rules: [
        { when: 'event.amount > 5.0 && abroad', then: { code: 'event.kind', cost: 'event.amount' } },
        { then: { code: "'none'", cost: '0.0' } },
      ],
    })
    expect(diagnostics).toEqual([])
    expect(decision).toMatchObject({
      form: 'rules',
      complete: true,
      outputs: [{ name: 'code' }, { name: 'cost', type: { kind: 'double' } }],
    })
    expect(decision?.rows[1]?.outputs[0]).toEqual({ literal: 'none' })
  })

  test.each<[string, DecisionText, readonly string[]]>([
    [
      'no rule for the rest',
      { hitPolicy: 'first', rules: [{ when: 'abroad', then: { y: '1' } }] },
      ['[missing-rows] The rules of "offer" do not cover every case, and there is no "onMissing"'],
    ],
    [
      'a rule behind one that holds always',
      { hitPolicy: 'first', rules: [{ then: { y: '1' } }, { when: 'abroad', then: { y: '2' } }] },
      ['[unreachable-row] Row 2 of decision table "offer" can never be chosen'],
    ],
    [
      'a rule that gives less',
      { hitPolicy: 'collect', rules: [{ then: { y: '1', z: '2' } }, { when: 'abroad', then: { y: '2' } }] },
      ['[missing-key] Rule 2 of decision "offer" needs "z"'],
    ],
  ])('%s', (_, text, expected) => {
    expect(complaints(text)).toEqual(expected)
  })

  test('forEach brings the element, and an empty list has no row', () => {
    const text: DecisionText = {
      hitPolicy: 'first',
      forEach: 'p in offers',
      rank: 'score descending',
      rules: [{ when: 'p.value > 1.0', then: { code: 'p.code', score: 'p.value' } }],
    }
    expect(complaints({ ...text, rules: [{ then: { code: 'p.code', score: 'p.value' } }] })).toEqual([
      '[missing-rows] Decision table "offer" has no row for an empty list, and no "onMissing"',
    ])
    const { decision } = analysed({ ...text, onMissing: 'drop' })
    expect(decision?.type.kind === 'object' && [...decision.type.fields.keys()]).toEqual(['p', 'code', 'score'])
  })
})
