// A DMN decision table as a scenario of ours: inputs become fields of the event, the table the decision "answer", and what DMN aggregates
// an expression over it. What DMN writes and we do not: names with other characters (renamed), PRIORITY and OUTPUT ORDER (a column with the
// place of the outputs in DMN's list, by which the rows are ranked), MIN and MAX (ranked by the output), SUM and COUNT (over the list).
import { childOf, childrenOf, type Element, need, parseXml } from './xml.ts'

export interface ImportedTable {
  /** The decision's name, by which test cases ask for it. */
  readonly decision: string
  readonly yaml: string
  /** DMN's names by ours; an only output has none. */
  readonly outputNames: ReadonlyMap<string, string> | undefined
}

const ourType: Readonly<Record<string, string>> = { number: 'double', string: 'string', boolean: 'bool' }

export function importTable(dmn: string): ImportedTable {
  const definitions = parseXml(dmn)
  const decisions = childrenOf(definitions, 'decision').filter(decision => childOf(decision, 'decisionTable'))
  const decision = need(decisions[0], 'decision with a table')
  const table = need(childOf(decision, 'decisionTable'), 'table')
  const inputs = childrenOf(definitions, 'inputData').map(input => ({
    name: attribute(input, 'name'),
    type: attribute(need(childOf(input, 'variable'), 'variable'), 'typeRef'),
  }))
  const columns = childrenOf(table, 'input').map(column => {
    const expression = need(childOf(column, 'inputExpression'), 'input expression')
    return { name: textOf(expression), values: listOf(childOf(column, 'inputValues')) }
  })
  const fields = inputs.map(({ name, type }) => {
    const values = columns.find(column => column.name === name)?.values ?? []
    return `${identifier(name)}: ${values.length > 0 ? values.map(unquoted).join(' | ') : need(ourType[type], `type ${type} of ours`)}`
  })
  const outputs = childrenOf(table, 'output').map(output => ({
    name: output.attributes.get('name'),
    values: listOf(childOf(output, 'outputValues')),
  }))
  const policy = policyOf(table)
  const rows = childrenOf(table, 'rule').map(rule => {
    const answers = childrenOf(rule, 'outputEntry').map(textOf)
    const places = outputs.map(({ values }, index) => values.indexOf(answers[index]!)).filter(place => place >= 0)
    // One number for the places of all outputs, the leftmost counting most.
    const place = places.reduce((sum, next) => sum * 1000 + next, 0)
    return {
      asked: childrenOf(rule, 'inputEntry').map(textOf),
      answers: policy.usesPlace ? [...answers, String(place)] : answers,
    }
  })
  const outputNames = outputs.map(({ name }) => identifier(name ?? 'value'))
  const headings = policy.usesPlace ? [...outputNames, 'place'] : outputNames
  const line = (asked: readonly string[], answers: readonly string[]): string =>
    `      | ${asked.join(' | ')} || ${answers.join(' | ')} |`
  const rank = policy.rank === undefined ? [] : [`    rank: ${policy.rank.replace('{output}', outputNames[0]!)}`]
  const value = policy.answer.replace('{output}', outputNames[0]!)
  const yaml = [
    'scenario: dmn',
    'description: A decision table of the DMN test kit.',
    'source:',
    '  topic: dmn.inputs',
    `  event: { ${fields.join(', ')} }`,
    'decide:',
    '  answer:',
    `    hitPolicy: ${policy.hitPolicy}`,
    ...rank,
    ...(policy.hitPolicy === 'collect' ? [] : ['    onMissing: drop']),
    '    table: |',
    line(
      columns.map(({ name }) => `event.${identifier(name)}`),
      headings,
    ),
    ...rows.map(({ asked, answers }) => line(asked, answers)),
    'sinks:',
    '  answers:',
    '    topic: dmn.answers',
    // In braces YAML would split an expression at its commas.
    '    value:',
    `      answer: ${value}`,
  ]
  const isNamed = outputs.some(({ name }) => name !== undefined)
  return {
    decision: attribute(decision, 'name'),
    yaml: `${yaml.join('\n')}\n`,
    outputNames: isNamed
      ? new Map(outputs.map(({ name }, index) => [outputNames[index]!, need(name, 'name of an output')]))
      : undefined,
  }
}

interface Policy {
  readonly hitPolicy: 'unique' | 'any' | 'first' | 'collect'
  readonly rank?: string
  readonly usesPlace: boolean
  /** What the sink writes; `{output}` is the first output. */
  readonly answer: string
}

function policyOf(table: Element): Policy {
  const hitPolicy = table.attributes.get('hitPolicy') ?? 'UNIQUE'
  const aggregation = table.attributes.get('aggregation')
  const one = { usesPlace: false, answer: 'answer' } as const
  switch (aggregation === undefined ? hitPolicy : `${hitPolicy} ${aggregation}`) {
    case 'UNIQUE':
      return { hitPolicy: 'unique', ...one }
    case 'ANY':
      return { hitPolicy: 'any', ...one }
    case 'FIRST':
      return { hitPolicy: 'first', ...one }
    case 'PRIORITY':
      return { hitPolicy: 'first', rank: 'place ascending', ...one, usesPlace: true }
    case 'COLLECT':
    case 'RULE ORDER':
      return { hitPolicy: 'collect', ...one }
    case 'OUTPUT ORDER':
      return { hitPolicy: 'collect', rank: 'place ascending', ...one, usesPlace: true }
    case 'COLLECT MIN':
      return { hitPolicy: 'first', rank: '{output} ascending', ...one }
    case 'COLLECT MAX':
      return { hitPolicy: 'first', rank: '{output} descending', ...one }
    case 'COLLECT SUM':
      return { hitPolicy: 'collect', usesPlace: false, answer: 'answer.map(row, row.{output}).sum()' }
    case 'COLLECT COUNT':
      return { hitPolicy: 'collect', usesPlace: false, answer: 'size(answer)' }
    default:
      throw new Error(`hit policy ${hitPolicy} ${aggregation ?? ''}`)
  }
}

const attribute = (element: Element, name: string): string =>
  need(element.attributes.get(name), `attribute ${name} of ${element.name}`)
const textOf = (element: Element): string => need(childOf(element, 'text'), `text of ${element.name}`).text.trim()
const identifier = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_')
const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1')

/** `"High", "Low"`, as written. */
function listOf(element: Element | undefined): readonly string[] {
  return element === undefined ? [] : (textOf(element).match(/"[^"]*"|[^,\s]+/g) ?? [])
}
