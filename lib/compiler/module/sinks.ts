// Sinks: functions that push a record's outputs, or say why it is a dead letter.
import type { Checked } from '../../language/checked.ts'
import type { Sink } from '../../scenario/scenario.ts'
import {
  checkedOf,
  elementLocal,
  expressionFunction,
  type GeneratedFunction,
  jsonFunction,
  type NameTable,
  templateFunction,
  textFunction,
} from '../expressions.ts'
import type { Scope } from './scope.ts'

export function sinkFunction(scope: Scope, sink: Sink): string {
  const { name, forEach, onDropped } = sink
  const names: NameTable = forEach === undefined ? scope.names : { ...scope.names, elements: [forEach.element] }
  const made = outputStatements(scope, sink, names)
  const emit = scope.module.freeName('emit', name)
  const status = `  if (c.status[i] !== ${onDropped ? 1 : 0}) return undefined`
  if (forEach === undefined) {
    scope.module.add(`function ${emit}(c, i, outputs) {\n${status}\n  ${made.join('\n  ')}\n}`)
    return emit
  }
  const list = expressionFunction(scope.module, forEach.list, scope.names, `${name}_list`, `forEach of sink ${name}`)
  scope.module.add(`function ${emit}(c, i, outputs) {
${status}
  const list = ${list.call}
  if (list instanceof Failure) return list
  for (const ${elementLocal(forEach.element)} of list) {
    const failure = ${emit}_element(c, i, outputs, ${elementLocal(forEach.element)})
    if (failure !== undefined) return failure
  }
}

function ${emit}_element(c, i, outputs, ${elementLocal(forEach.element)}) {\n  ${made.join('\n  ')}\n}`)
  return emit
}

export function whenFunction(scope: Scope, sink: Sink, names: NameTable = scope.names): GeneratedFunction {
  let made = scope.whens.get(sink)
  if (made === undefined) {
    made = expressionFunction(scope.module, sink.when as Checked, names, `${sink.name}_when`, `when of sink ${sink.name}`)
    scope.whens.set(sink, made)
  }
  return made
}

/** Statements that push one output, or return a Failure. */
function outputStatements(scope: Scope, sink: Sink, names: NameTable): readonly string[] {
  const { name } = sink
  const statements: string[] = []
  const local = (variable: string, computed: GeneratedFunction) => {
    statements.push(`const ${variable} = ${computed.call}`)
    if (computed.mayFail) statements.push(`if (${variable} instanceof Failure) return ${variable}`)
    return variable
  }
  if (sink.when !== undefined) {
    local('when', whenFunction(scope, sink, names))
    statements.push('if (!when) return undefined')
  }
  const topic = topicCode(scope, sink, names, local, statements)
  const key =
    sink.key === undefined
      ? 'undefined'
      : local('key', textFunction(scope.module, sink.key, names, `${name}_key`, `key of sink ${name}`))
  const headers = headersCode(scope, sink, names, local, statements)
  const value =
    sink.value.kind === 'bytes'
      ? 'c.record[i].value'
      : sink.value.kind === 'null'
        ? 'null'
        : local('value', jsonFunction(scope.module, sink.value, names, `${name}_value`, `value of sink ${name}`))
  statements.push(`outputs.push({ topic: ${topic}, key: ${key}, headers: ${headers}, value: ${value} })`)
  return statements
}

function topicCode(scope: Scope, { name, topic, among }: Sink, names: NameTable, local: Local, statements: string[]): string {
  if (topic.parts.every(part => typeof part === 'string')) return JSON.stringify(topic.parts.join(''))
  const variable = local('topic', templateFunction(scope.module, topic, names, `${name}_topic`, `topic of sink ${name}`))
  const allowed = scope.module.constant('topics', `new Set(${JSON.stringify(among ?? [])})`)
  statements.push(
    `if (!${allowed}.has(topic)) return new Failure('topic-not-listed', ${JSON.stringify(`topic of sink ${name}`)}, ${JSON.stringify(`the topic of sink "${name}" is not among those listed`)})`,
  )
  return variable
}

function headersCode(scope: Scope, { name, headers }: Sink, names: NameTable, local: Local, statements: string[]): string {
  if (headers.length === 0) return scope.module.constant('noHeaders', 'Object.freeze([])')
  const texts = headers.map((header, h) => ({
    name: JSON.stringify(header.name),
    text: local(
      `h${h}`,
      textFunction(scope.module, header.value, names, `${name}_header`, `header ${header.name} of sink ${name}`),
    ),
    mayBeMissing: checkedOf(header.value).some(checked => checked.mayBeMissing),
  }))
  if (!texts.some(({ mayBeMissing }) => mayBeMissing))
    return `[${texts.map(({ name, text }) => `[${name}, ${text}]`).join(', ')}]`
  statements.push('const headers = []')
  // What may be missing is left out.
  for (const { name, text } of texts) statements.push(`if (${text} !== undefined) headers.push([${name}, ${text}])`)
  return 'headers'
}

type Local = (variable: string, computed: GeneratedFunction) => string
