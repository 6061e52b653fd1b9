// JavaScript of a scenario's expressions, texts and value trees. Each becomes a function `(c, i)` over the batch's columns that returns its
// value or a Failure; what it reads are locals, so that the usual record runs straight-line code without a try or a test inside.
import type { Checked } from '../language/checked.ts'
import { toJavaScript } from '../language/javascript.ts'
import type { Template, Value } from '../scenario/scenario.ts'
import type { ModuleText } from './module-text.ts'
import { jsonCode, textCode } from './writer.ts'

/** How generated code reaches a name. */
export interface NameAccess {
  /** JavaScript over `c` (columns), `i` (record index) and the elements of loops; may give a Failure if `mayFail`. */
  readonly code: string
  /** JavaScript of the array that `code` reads, where it only reads an array. */
  readonly column?: string
  /** JavaScript of the array in which a computed value is kept. */
  readonly keptIn?: string
  readonly mayFail: boolean
}

export interface NameTable {
  access(name: string): NameAccess
  /** Names that a loop around the expression declares, and that are parameters of its function. */
  readonly elements: readonly string[]
}

export interface GeneratedFunction {
  readonly name: string
  /** `c, i` and the loop elements. */
  readonly call: string
  readonly mayFail: boolean
}

/** A function that gives the expression's value, undefined where it is missing, or a Failure. `at` names the place: `filter adult`. */
export function expressionFunction(
  module: ModuleText,
  checked: Checked,
  names: NameTable,
  word: string,
  at: string,
): GeneratedFunction {
  return generate(module, [checked], names, word, at, code => `return ${code(checked)}`)
}

/** A function that gives a text with holes; undefined where a hole is missing. */
export function templateFunction(
  module: ModuleText,
  template: Template,
  names: NameTable,
  word: string,
  at: string,
): GeneratedFunction {
  return generate(module, checkedOf({ kind: 'template', template }), names, word, at, code => templateStatements(template, code))
}

/** A function over several texts with holes: `result` is JavaScript of their locals; undefined where one of them is missing. */
export function textsFunction(
  module: ModuleText,
  templates: readonly Template[],
  names: NameTable,
  { word, at }: { readonly word: string; readonly at: string },
  result: (texts: readonly string[]) => string,
): GeneratedFunction {
  const expressions = templates.flatMap(template => checkedOf({ kind: 'template', template }))
  return generate(module, expressions, names, word, at, code => {
    const statements = templates.map((template, t) => {
      if (!mayBeMissing(template)) return `const t${t} = ${templateCode(template, code)}`
      return `const t${t} = ${optionalTemplateCode(template, code)}\n  if (t${t} === undefined) return undefined`
    })
    return [...statements, `return ${result(templates.map((_, t) => `t${t}`))}`].join('\n  ')
  })
}

/** A function that gives a key or header as text; undefined where it is missing. */
export function textFunction(
  module: ModuleText,
  value: Value & { kind: 'expression' | 'template' },
  names: NameTable,
  word: string,
  at: string,
) {
  if (value.kind === 'template') return templateFunction(module, value.template, names, word, at)
  const { checked } = value
  return generate(module, [checked], names, word, at, code => {
    if (!checked.mayBeMissing) return `return ${textCode(checked.type, code(checked))}`
    return `const v = ${code(checked)}\n  return v === undefined ? undefined : ${textCode(checked.type, 'v')}`
  })
}

/** A function that gives the JSON text of a value tree; absent members are left out. */
export function jsonFunction(module: ModuleText, value: Value, names: NameTable, word: string, at: string): GeneratedFunction {
  return generate(module, checkedOf(value), names, word, at, code => {
    const body: string[] = []
    let locals = 0
    const json = write(value)
    return [...body, `return ${json}`].join('\n  ')

    function local(js: string): string {
      const name = `t${locals++}`
      body.push(`const ${name} = ${js}`)
      return name
    }

    /** A JavaScript expression for the JSON of a value that is there. */
    function write(part: Value): string {
      switch (part.kind) {
        case 'null':
          return `'null'`
        case 'expression': {
          // `value: event` copies in declared form; everything computed is written as scenarios see it.
          const form = isWholeEvent(part.checked) ? 'declared' : 'seen'
          return jsonCode(module, part.checked.type, code(part.checked), form)
        }
        case 'template':
          return `std.jsonOfString(${templateCode(part.template, code)})`
        case 'list':
          return `'[' + ${part.items.map(item => write(item)).join(` + ',' + `) || `''`} + ']'`
        case 'map':
          return writeMap(part)
      }
    }

    // From the first member that is surely there on, text is only added behind; members before it bring a comma that is cut off.
    function writeMap(part: Value & { kind: 'map' }): string {
      const first = part.entries[0]
      if (part.spread === undefined && first === undefined) return `'{}'`
      const members = `m${locals++}`
      const startsSure = part.spread === undefined && optionalPart(first!.value) === undefined
      if (!startsSure) body.push(`let ${members} = ''`)
      if (part.spread !== undefined) {
        const form = isWholeEvent(part.spread) ? 'declared' : 'seen'
        const object = local(jsonCode(module, part.spread.type, code(part.spread), form))
        body.push(`if (${object} !== '{}') ${members} += ',' + ${object}.slice(1, -1)`)
      }
      for (const entry of part.entries) {
        const { name, value: member } = entry
        const isStart = startsSure && entry === first
        const label = JSON.stringify(`${isStart ? '{' : ','}${JSON.stringify(name)}:`)
        const missing = optionalPart(member)
        if (missing === undefined) {
          const json = write(member)
          body.push(`${isStart ? 'let ' : ''}${members} ${isStart ? '=' : '+='} ${label} + ${json}`)
        } else {
          const v = local(missing.code)
          body.push(`if (${v} !== undefined) ${members} += ${label} + ${missing.json(v)}`)
        }
      }
      return startsSure ? `${members} + '}'` : `'{' + ${members}.slice(1) + '}'`
    }

    function optionalPart(part: Value): { code: string; json: (v: string) => string } | undefined {
      if (part.kind === 'expression' && part.checked.mayBeMissing) {
        const { type } = part.checked
        return { code: code(part.checked), json: v => jsonCode(module, type, v) }
      }
      if (part.kind === 'template' && mayBeMissing(part.template)) {
        return { code: optionalTemplateCode(part.template, code), json: v => `std.jsonOfString(${v})` }
      }
      return undefined
    }
  })
}

/** Every expression of a value tree. */
export function checkedOf(value: Value): readonly Checked[] {
  switch (value.kind) {
    case 'expression':
      return [value.checked]
    case 'template':
      return value.template.parts.filter(part => typeof part !== 'string')
    case 'map':
      return [...(value.spread ? [value.spread] : []), ...value.entries.flatMap(entry => checkedOf(entry.value))]
    case 'list':
      return value.items.flatMap(checkedOf)
    case 'null':
      return []
  }
}

/**
 * A function whose body uses these expressions. With references that may be Failures there are two: the usual one tests its locals once and
 * runs code in which reading cannot fail; where one is a Failure the other runs, in which CEL's `&&` and `||` may still absorb it.
 */
export function generate(
  module: ModuleText,
  expressions: readonly Checked[],
  names: NameTable,
  word: string,
  at: string,
  body: (code: Code) => string,
  /** Names that the body itself binds (the element of a decision's loop), as `elementLocal`. */
  bound: readonly string[] = [],
): GeneratedFunction {
  const isElement = (name: string) => names.elements.includes(name) || bound.includes(name)
  const references = [...new Set(expressions.flatMap(checked => [...checked.references.keys()]))].filter(name => !isElement(name))
  const accesses = references.map((name, index) => ({ name, local: `r${index}`, ...names.access(name) }))
  const failing = accesses.filter(access => access.mayFail)
  const parameters = ['c', 'i', ...names.elements.map(elementLocal)].join(', ')

  const straight = translate(false)
  const name = module.freeName('x', word)
  const place = JSON.stringify(at)
  let onFailure = ''
  if (failing.length > 0) {
    const slow = `${name}_slow`
    module.add(`function ${slow}(${parameters}, ${accesses.map(access => access.local).join(', ')}) {
  try {
  ${translate(true).text}
  } catch (e) {
    return failureOf(e, ${place})
  }
}`)
    const test = failing.map(access => `${access.local} instanceof Failure`).join(' || ')
    onFailure = `\n  if (${test}) return ${slow}(${parameters}, ${accesses.map(access => access.local).join(', ')})`
  }
  const locals = accesses.map(access => `\n  const ${access.local} = ${access.code}`).join('')
  const guarded = straight.canFail
    ? `try {\n  ${straight.text}\n  } catch (e) {\n    return failureOf(e, ${place})\n  }`
    : straight.text
  module.add(`function ${name}(${parameters}) {${locals}${onFailure}\n  ${guarded}\n}`)
  return { name, call: `${name}(${parameters})`, mayFail: straight.canFail || failing.length > 0 }

  function translate(mayFail: boolean): { readonly text: string; readonly canFail: boolean } {
    let canFail = false
    const translated = (checked: Checked) => {
      const js = toJavaScript(checked, {
        reference: reference => {
          if (isElement(reference)) return elementLocal(reference)
          const access = accesses.find(({ name }) => name === reference)
          if (access === undefined) throw new Error(`"${reference}" is not among the references of ${checked.source}`)
          return mayFail && access.mayFail ? `read(${access.local})` : access.local
        },
        mayFail: reference => mayFail && !isElement(reference) && names.access(reference).mayFail,
      })
      canFail ||= js.canFail
      for (const [constant, code] of js.constants) addConstant(module, constant, code)
      return js
    }
    const text = body(Object.assign((checked: Checked) => translated(checked).code, { withFailure: translated }))
    return { text, canFail }
  }
}

/** An expression over locals of which none is a Failure; undefined if it can fail even so. */
export function straightCode(module: ModuleText, checked: Checked, local: (name: string) => string): string | undefined {
  const { code, canFail, constants } = toJavaScript(checked, { reference: local, mayFail: () => false })
  if (canFail) return undefined
  for (const [constant, js] of constants) addConstant(module, constant, js)
  return code
}

/** The parameter under which a loop's element reaches its functions. */
export function elementLocal(element: string): string {
  return `e_${element.replace(/[^A-Za-z0-9_$]/g, '_')}`
}

function addConstant(module: ModuleText, name: string, code: string): void {
  module.shared(`named ${name}`, name, given => {
    if (given !== name) throw new Error(`the constant ${name} is declared twice`)
    return `const ${name} = ${code}`
  })
}

/** JavaScript of one of the function's expressions; `withFailure` also tells whether it can throw. */
export type Code = ((checked: Checked) => string) & {
  readonly withFailure: (checked: Checked) => { readonly code: string; readonly canFail: boolean }
}

function templateStatements(template: Template, code: Code): string {
  return `return ${templateExpression(template, code)}`
}

/** A JavaScript expression that gives the text; undefined where a hole is missing. */
export function templateExpression(template: Template, code: Code): string {
  return mayBeMissing(template) ? optionalTemplateCode(template, code) : templateCode(template, code)
}

function templateCode(template: Template, code: Code): string {
  const parts = template.parts.map(part => (typeof part === 'string' ? JSON.stringify(part) : textCode(part.type, code(part))))
  // An empty text first, so that a single hole is a text and + never adds numbers.
  return parts.length === 0
    ? `''`
    : typeof template.parts[0] === 'string' || parts.length === 1
      ? parts.join(' + ')
      : `'' + ${parts.join(' + ')}`
}

// Arrow function: the holes are evaluated once, and the first that is missing ends it.
function optionalTemplateCode(template: Template, code: Code): string {
  const holes: string[] = []
  const parts = template.parts.map(part => {
    if (typeof part === 'string') return JSON.stringify(part)
    if (!part.mayBeMissing) return textCode(part.type, code(part))
    const h = `h${holes.length}`
    holes.push(`const ${h} = ${code(part)}; if (${h} === undefined) return undefined;`)
    return textCode(part.type, h)
  })
  return `(() => { ${holes.join(' ')} return '' + ${parts.join(' + ')} })()`
}

function mayBeMissing(template: Template): boolean {
  return template.parts.some(part => typeof part !== 'string' && part.mayBeMissing)
}

function isWholeEvent(checked: Checked): boolean {
  return checked.source.trim() === 'event' && checked.type.kind === 'object'
}
