// Functions, methods and macros: which arguments they take, what they give. CEL's, its extensions', and ours (functions/README.md, Functions).
import type { Checker } from './checker.ts'
import { presentIfTrue } from './presence.ts'
import type { Range } from './problem.ts'
import { patternLack } from './regular-expression.ts'
import { patternMistake } from './standard/pattern.ts'
import { parseDuration, parseTimestamp } from './standard/time.ts'
import { isTimeZone } from './standard/zone.ts'
import { nearest } from './suggestion.ts'
import type { Expr } from './syntax.ts'
import type { Loop, Typed } from './typed.ts'
import { comparable, describeType, isText, type Type, types } from './types.ts'

type Call = Expr & { readonly kind: 'call' }

export function checkCall(checker: Checker, call: Call): Typed {
  const namespace = namespaceOf(checker, call)
  if (namespace !== undefined) return checkGlobal(checker, { ...call, target: undefined } as never, `${namespace}.${call.name}`)
  if (call.target === undefined) return checkGlobal(checker, call, call.name)
  const macro = Object.hasOwn(macros, call.name) ? macros[call.name] : undefined
  if (macro !== undefined) return macro(checker, call, call.target)
  return checkMethod(checker, call, call.target)
}

// `math.least(…)`: a name before the dot that is no name of the scenario.
function namespaceOf(checker: Checker, { target }: Call): string | undefined {
  return target?.kind === 'name' && ['math', 'strings', 'geo', 'optional'].includes(target.name) && !checker.isName(target.name)
    ? target.name
    : undefined
}

// Macros -------------------------------------------------------------------------------------------------------------------------------------

type Macro = (checker: Checker, call: Call, target: Expr) => Typed

const loop =
  (kind: Loop): Macro =>
  (checker, call, target) => {
    const { args, range, name } = call
    const list = checker.value(target)
    const wanted = kind === 'map' ? [2, 3] : [2]
    if (!wanted.includes(args.length)) return argumentCount(checker, call, `${name}(x, …)`)
    const variable = args[0]!
    if (variable.kind !== 'name')
      return checker.report(
        'type-mismatch',
        `The first argument of "${name}" is a name for the element, found an expression`,
        variable.range,
      )
    if (list.type.kind === 'error') return checker.error(range)
    const element = elementType(list.type)
    if (element === undefined)
      return checker.report('type-mismatch', `"${name}" needs a list, found ${describeType(list.type)}`, list.range)
    return checker.withElement(variable.name, element, unique => {
      const where = args.length === 3 ? checker.valueOf(args[1]!, types.bool, 'The condition of "map"') : undefined
      const bodyExpr = args.at(-1)!
      const isTest = kind === 'all' || kind === 'exists' || kind === 'exists_one' || kind === 'filter'
      const checkBody = () =>
        isTest ? checker.valueOf(bodyExpr, types.bool, `The condition of "${name}"`) : checker.value(bodyExpr)
      const body = where === undefined ? checkBody() : checker.within(presentIfTrue(where), checkBody)
      // What is wrong has been told.
      if (body.type.kind === 'error' || where?.type.kind === 'error') return checker.error(range)
      if ((kind === 'minBy' || kind === 'maxBy') && !hasOrder(body.type)) {
        return checker.report(
          'type-mismatch',
          `"${name}" needs a value that has an order, found ${describeType(body.type)}`,
          body.range,
        )
      }
      // A map is walked over its keys.
      const over = list.type.kind === 'map' ? checker.apply('keys', [list], { kind: 'list', element }, list.range) : list
      const type: Type =
        kind === 'map'
          ? { kind: 'list', element: body.type }
          : kind === 'filter'
            ? { kind: 'list', element }
            : isTest
              ? types.bool
              : element
      return { kind: 'loop', loop: kind, list: over, element: unique, ...(where && { where }), body, type, missing: false, range }
    })
  }

/** `x.optMap(v, …)`: missing stays missing; with `optFlatMap` what comes of it may be missing, too. */
const mapPresent =
  (isFlat: boolean): Macro =>
  (checker, call, target) => {
    const operand = checker.check(target)
    const [variable, body] = call.args
    if (call.args.length !== 2 || variable?.kind !== 'name' || body === undefined)
      return argumentCount(checker, call, `${call.name}(x, …)`)
    return checker.withElement(variable.name, operand.type, unique => {
      const checked = isFlat ? checker.check(body) : checker.value(body)
      const missing = operand.missing || checked.missing
      return { kind: 'optMap', operand, name: unique, body: checked, type: checked.type, missing, range: call.range }
    })
  }

const macros: Readonly<Record<string, Macro>> = {
  all: loop('all'),
  exists: loop('exists'),
  exists_one: loop('exists_one'),
  existsOne: loop('exists_one'),
  filter: loop('filter'),
  map: loop('map'),
  minBy: loop('minBy'),
  maxBy: loop('maxBy'),
  orValue: (checker, call, target) => {
    const operand = checker.check(target)
    if (call.args.length !== 1) return argumentCount(checker, call, 'orValue(value)')
    const fallback = checker.value(call.args[0]!)
    if (operand.type.kind === 'error' || fallback.type.kind === 'error') return checker.error(call.range)
    const [promotedOperand, promoted] = checker.unify(operand, fallback)
    if (!comparable(operand.type, promoted.type)) {
      return checker.report(
        'type-mismatch',
        `"orValue" needs ${describeType(operand.type)} as the other value, found ${describeType(promoted.type)}`,
        fallback.range,
      )
    }
    const type = operand.type.kind === 'enum' && promoted.type.kind === 'string' ? types.string : promotedOperand.type
    return { kind: 'orValue', operand: promotedOperand, fallback: promoted, type, missing: false, range: call.range }
  },
  or: (checker, call, target) => {
    const operand = checker.check(target)
    if (call.args.length !== 1) return argumentCount(checker, call, 'or(other)')
    const other = checker.check(call.args[0]!)
    const [first, second] = checker.unify(operand, other)
    if (!comparable(first.type, second.type)) {
      return checker.report(
        'type-mismatch',
        `"or" needs ${describeType(first.type)} on both sides, found ${describeType(second.type)}`,
        other.range,
      )
    }
    return { kind: 'orValue', operand: first, fallback: second, type: first.type, missing: second.missing, range: call.range }
  },
  hasValue: (checker, call, target) => {
    const operand = checker.check(target)
    if (call.args.length !== 0) return argumentCount(checker, call, 'hasValue()')
    return operand.kind === 'error' ? operand : { kind: 'has', operand, type: types.bool, missing: false, range: call.range }
  },
  optMap: mapPresent(false),
  optFlatMap: mapPresent(true),
}

function elementType(type: Type): Type | undefined {
  return type.kind === 'list' ? type.element : type.kind === 'map' ? type.key : undefined
}

// Methods ------------------------------------------------------------------------------------------------------------------------------------

interface Signature {
  readonly operation: string
  readonly args: readonly Type[]
  readonly result: Type
}

const { string, int, bool, double } = types
const strings: Type = { kind: 'list', element: string }

/** Methods of texts; several with one name differ in the number of arguments. */
const textMethods: Readonly<Record<string, readonly Signature[]>> = {
  size: [{ operation: 'sizeOfString', args: [], result: int }],
  contains: [{ operation: 'contains', args: [string], result: bool }],
  startsWith: [{ operation: 'startsWith', args: [string], result: bool }],
  endsWith: [{ operation: 'endsWith', args: [string], result: bool }],
  trim: [{ operation: 'trim', args: [], result: string }],
  lowerAscii: [{ operation: 'lowerAscii', args: [], result: string }],
  upperAscii: [{ operation: 'upperAscii', args: [], result: string }],
  reverse: [{ operation: 'reverse', args: [], result: string }],
  charAt: [{ operation: 'charAt', args: [int], result: string }],
  split: [
    { operation: 'split', args: [string], result: strings },
    { operation: 'split', args: [string, int], result: strings },
  ],
  replace: [
    { operation: 'replace', args: [string, string], result: string },
    { operation: 'replace', args: [string, string, int], result: string },
  ],
  substring: [
    { operation: 'substring', args: [int], result: string },
    { operation: 'substring', args: [int, int], result: string },
  ],
  indexOf: [
    { operation: 'indexOf', args: [string], result: int },
    { operation: 'indexOf', args: [string, int], result: int },
  ],
  lastIndexOf: [
    { operation: 'lastIndexOf', args: [string], result: int },
    { operation: 'lastIndexOf', args: [string, int], result: int },
  ],
}

const timestampGetters = [
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfYear',
  'getDayOfWeek',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
]
const durationGetters: Readonly<Record<string, string>> = {
  getHours: 'durationHours',
  getMinutes: 'durationMinutes',
  getSeconds: 'durationSeconds',
}

function checkMethod(checker: Checker, call: Call, targetExpr: Expr): Typed {
  const target = checker.value(targetExpr)
  const { name, args, range } = call
  const { type } = target
  switch (type.kind) {
    case 'error':
      for (const arg of args) checker.check(arg)
      return target
    case 'string':
    case 'enum':
    case 'timezone': {
      if (name === 'matches') return checkMatches(checker, call, target)
      if (name === 'format')
        return refused(
          checker,
          call,
          '"format" of a text is left out, since implementations differ: use a text with holes, and "round" for digits',
        )
      const overloads = Object.hasOwn(textMethods, name) ? textMethods[name] : undefined
      return overloads === undefined
        ? unknownMethod(checker, call, type, [...Object.keys(textMethods), 'matches'])
        : applySignature(checker, call, [target], overloads)
    }
    case 'list':
      return checkListMethod(checker, call, target, type)
    case 'map':
      if (name === 'size') return noArguments(checker, call, () => checker.apply('mapSize', [target], int, range))
      return unknownMethod(checker, call, type, ['size'])
    case 'timestamp':
      return checkTimestampMethod(checker, call, target)
    case 'duration': {
      if (name === 'getMilliseconds')
        return refused(checker, call, '"getMilliseconds" of a duration is left out, since implementations differ')
      const operation = Object.hasOwn(durationGetters, name) ? durationGetters[name] : undefined
      if (operation === undefined) return unknownMethod(checker, call, type, Object.keys(durationGetters))
      return noArguments(checker, call, () => checker.apply(operation, [target], int, range))
    }
    default:
      return unknownMethod(checker, call, type, [])
  }
}

function checkListMethod(checker: Checker, call: Call, target: Typed, type: Type & { kind: 'list' }): Typed {
  const { name, args, range } = call
  const { element } = type
  switch (name) {
    case 'size':
      return noArguments(checker, call, () => checker.apply('length', [target], int, range))
    case 'first':
    case 'last':
      return noArguments(checker, call, () => checker.apply(name, [target], element, range))
    case 'sum': {
      const operation = { int: 'sumOfInts', decimal: 'sumOfInts', double: 'sumOfDoubles', duration: 'sumOfDurations' }[
        element.kind as string
      ]
      if (operation === undefined)
        return checker.report(
          'type-mismatch',
          `"sum" needs a list of numbers or durations, found ${describeType(type)}`,
          target.range,
        )
      return noArguments(checker, call, () => checker.apply(operation, [target], element, range))
    }
    case 'join': {
      if (!isText(element) && element.kind !== 'error')
        return checker.report('type-mismatch', `"join" needs a list of texts, found ${describeType(type)}`, target.range)
      if (args.length > 1) return argumentCount(checker, call, 'join(separator)')
      return checker.apply(
        'join',
        [target, ...args.map(arg => checker.valueOf(arg, string, 'The separator of "join"'))],
        string,
        range,
      )
    }
    default:
      return unknownMethod(checker, call, type, ['size', 'first', 'last', 'sum', 'join', ...Object.keys(macros)])
  }
}

function checkTimestampMethod(checker: Checker, call: Call, target: Typed): Typed {
  const { name, args, range } = call
  if (name === 'format') {
    if (args.length !== 2) return argumentCount(checker, call, 'format("yyyy-MM-dd", zone)')
    const pattern = checker.valueOf(args[0]!, string, 'The pattern of "format"')
    const zone = checkZone(checker, args[1]!)
    const mistake = pattern.kind === 'constant' ? patternMistake(pattern.value as string) : undefined
    if (mistake !== undefined) {
      return checker.report(
        'format-pattern',
        `A pattern has no "${mistake}"; its letters are yyyy, MM, dd, HH, mm, ss, SSS and EEE`,
        pattern.range,
      )
    }
    return checker.apply('formatTimestamp', [target, pattern, zone], string, range)
  }
  if (!timestampGetters.includes(name)) return unknownMethod(checker, call, target.type, [...timestampGetters, 'format'])
  if (args.length > 1) return argumentCount(checker, call, `${name}(zone)`)
  return checker.apply(name, [target, ...args.map(arg => checkZone(checker, arg))], int, range)
}

function checkZone(checker: Checker, arg: Expr): Typed {
  const zone = checker.valueOf(arg, string, 'A time zone')
  if (zone.kind !== 'constant' || isTimeZone(zone.value as string)) return zone
  const suggestion = nearest(zone.value as string, Intl.supportedValuesOf('timeZone'))
  return checker.report('unknown-zone', `There is no time zone "${zone.value}"`, zone.range, {
    suggestion: suggestion && JSON.stringify(suggestion),
  })
}

function checkMatches(checker: Checker, call: Call, target: Typed): Typed {
  const [arg] = call.args
  if (call.args.length !== 1 || arg === undefined) return argumentCount(checker, call, 'matches("pattern")')
  const pattern = checker.valueOf(arg, string, 'The pattern of "matches"')
  if (pattern.kind === 'error') return pattern
  // What only the record knows is compiled when it runs; a record whose pattern is none fails.
  if (pattern.kind !== 'constant') return checker.apply('matches', [target, pattern], bool, call.range)
  const lack = patternLack(pattern.value as string)
  if (lack !== undefined) {
    return checker.report('literal-type', `${quoted(pattern.value as string)} is no regular expression: ${lack}`, pattern.range)
  }
  return { kind: 'matches', text: target, pattern: pattern.value as string, type: bool, missing: false, range: call.range }
}

// Functions ----------------------------------------------------------------------------------------------------------------------------------

const globalNames = [
  'has',
  'size',
  'string',
  'int',
  'double',
  'bool',
  'timestamp',
  'duration',
  'round',
  'bucket',
  'matches',
  'math.least',
  'math.greatest',
  'math.abs',
  'math.ceil',
  'math.floor',
  'math.round',
  'math.trunc',
  'math.isNaN',
  'math.isInf',
  'math.isFinite',
  'math.sign',
  'math.sqrt',
  'math.bitAnd',
  'math.bitOr',
  'math.bitXor',
  'math.bitNot',
  'math.bitShiftLeft',
  'math.bitShiftRight',
  'strings.quote',
  'geo.distanceKm',
  'optional.of',
  'optional.none',
]

const doubleFunctions: Readonly<Record<string, readonly [operation: string, result: Type]>> = {
  'math.ceil': ['ceil', double],
  'math.floor': ['floor', double],
  'math.round': ['roundHalf', double],
  'math.trunc': ['trunc', double],
  'math.isNaN': ['isNan', bool],
  'math.isInf': ['isInfinite', bool],
  'math.isFinite': ['isFiniteDouble', bool],
}

/** Functions on ints alone, by the number of their arguments. */
const bitFunctions: Readonly<Record<string, number>> = {
  'math.bitAnd': 2,
  'math.bitOr': 2,
  'math.bitXor': 2,
  'math.bitNot': 1,
  'math.bitShiftLeft': 2,
  'math.bitShiftRight': 2,
}

function checkGlobal(checker: Checker, call: Call, name: string): Typed {
  const { args, range } = call
  const one = (use: (arg: Typed) => Typed): Typed => {
    if (args.length !== 1) return argumentCount(checker, call, `${name}(value)`)
    const arg = checker.value(args[0]!)
    return arg.type.kind === 'error' ? checker.error(range) : use(arg)
  }
  if (Object.hasOwn(doubleFunctions, name)) {
    const [operation, result] = doubleFunctions[name]!
    return one(arg => checker.apply(operation, [checker.expect(arg, double, `"${name}"`)], result, range))
  }
  if (Object.hasOwn(bitFunctions, name)) {
    const count = bitFunctions[name]!
    if (args.length !== count) return argumentCount(checker, call, `${name}(${count === 1 ? 'bits' : 'bits, bits'})`)
    const values = args.map(arg => checker.valueOf(arg, int, `"${name}"`))
    if (values.some(value => value.type.kind === 'error')) return checker.error(range)
    return checker.apply(call.name, values, int, range)
  }
  switch (name) {
    case 'has':
      return checkHas(checker, call)
    case 'size':
      return one(arg => {
        const operation = isText(arg.type)
          ? 'sizeOfString'
          : { list: 'length', map: 'mapSize', bytes: 'length' }[arg.type.kind as string]
        if (operation === undefined) return noConversion(checker, 'size', arg, range)
        return checker.apply(operation, [arg], int, range)
      })
    case 'string':
    case 'int':
    case 'double':
    case 'bool':
    case 'timestamp':
    case 'duration':
      return one(arg => convert(checker, name, arg, range))
    case 'round':
      return checkRound(checker, call)
    case 'bucket': {
      if (args.length !== 3) return argumentCount(checker, call, 'bucket(text, salt, n)')
      const [text, salt, count] = [
        checker.valueOf(args[0]!, string),
        checker.valueOf(args[1]!, string),
        checker.valueOf(args[2]!, int),
      ]
      return checker.apply('bucket', [text, salt, count], int, range)
    }
    case 'geo.distanceKm':
      if (args.length !== 4) return argumentCount(checker, call, 'geo.distanceKm(latitude, longitude, latitude, longitude)')
      return checker.apply(
        'distanceKm',
        args.map(arg => checker.valueOf(arg, double, 'A latitude or longitude')),
        double,
        range,
      )
    case 'math.least':
    case 'math.greatest':
      return checkExtreme(checker, call, name === 'math.least' ? 'least' : 'greatest')
    case 'math.abs':
      return one(arg => {
        const operation = { int: 'absInt', decimal: 'absInt', double: 'absDouble' }[arg.type.kind as string]
        return operation === undefined
          ? noConversion(checker, name, arg, range)
          : checker.apply(operation, [arg], arg.type, range)
      })
    case 'math.sign':
      return one(arg => {
        const operation = { int: 'signInt', decimal: 'signInt', double: 'signDouble' }[arg.type.kind as string]
        return operation === undefined
          ? noConversion(checker, name, arg, range)
          : checker.apply(operation, [arg], operation === 'signInt' ? int : double, range)
      })
    case 'math.sqrt':
      return one(arg =>
        ['int', 'double'].includes(arg.type.kind)
          ? checker.apply('sqrt', [arg], double, range)
          : noConversion(checker, name, arg, range),
      )
    case 'strings.quote':
      return one(arg => checker.apply('quote', [checker.expect(arg, string, '"strings.quote"')], string, range))
    case 'optional.of':
      return one(arg => arg)
    case 'optional.none':
      if (args.length !== 0) return argumentCount(checker, call, 'optional.none()')
      return { kind: 'constant', value: undefined, type: types.error, missing: true, range }
    default: {
      for (const arg of args) checker.check(arg)
      return checker.report('unknown-function', `There is no function "${name}"`, call.nameRange, {
        suggestion: nearest(name, globalNames),
      })
    }
  }
}

function checkHas(checker: Checker, call: Call): Typed {
  const [arg] = call.args
  if (call.args.length !== 1 || arg === undefined) return argumentCount(checker, call, 'has(event.field)')
  if (arg.kind !== 'select') {
    if (arg.kind === 'name') {
      const named = checker.check(arg)
      if (named.type.kind === 'error' || checker.mayHaveNoValue(arg.name))
        return named.type.kind === 'error'
          ? named
          : { kind: 'has', operand: named, type: bool, missing: false, range: call.range }
    }
    return checker.report('type-mismatch', '"has" asks for a field, as in has(event.field)', arg.range)
  }
  const target = checker.check(arg.target)
  if (target.type.kind === 'error') return checker.error(call.range)
  if (target.missing && !arg.optional && arg.target.kind === 'select' && !arg.target.optional)
    return checker.reportMissing(target)
  const operand = checker.selectField(target, { ...arg, optional: target.type.kind === 'map' || arg.optional })
  return operand.kind === 'error' ? operand : { kind: 'has', operand, type: bool, missing: false, range: call.range }
}

/** What converts to what, and how; `error` where the conversion gives the value itself. */
function convert(
  checker: Checker,
  to: 'string' | 'int' | 'double' | 'bool' | 'timestamp' | 'duration',
  arg: Typed,
  range: Range,
): Typed {
  const { type } = arg
  const from = isText(type) ? 'string' : type.kind
  if (from === to) return { ...arg, range, type: to === 'string' ? string : type }
  if (to === 'int' && from === 'duration') {
    return checker.report(
      'refused-function',
      '"int" of a duration is left out, since implementations differ; use getSeconds(), getMinutes() or getHours()',
      range,
    )
  }
  if (arg.kind === 'constant' && from === 'string') {
    const text = arg.value as string
    if (to === 'timestamp' && parseTimestamp(text) === undefined) {
      return checker.report('literal-type', `"${text}" is no timestamp; one is written as 2026-11-30T06:00:00Z`, arg.range)
    }
    if (to === 'duration' && parseDuration(text) === undefined) {
      return checker.report(
        'literal-type',
        `"${text}" is no duration; the units are h, m, s, ms, us and ns, as in "168h" for seven days`,
        arg.range,
      )
    }
  }
  const digits = type.kind === 'decimal' ? [constantInt(type.digits, range)] : []
  const operation = conversions[`${from} ${to}`]
  if (operation === undefined) return noConversion(checker, to, arg, range)
  return checker.apply(operation, [arg, ...digits], types[to], range)
}

const conversions: Readonly<Record<string, string>> = {
  'int string': 'textOfInt',
  'double string': 'stringOfDouble',
  'decimal string': 'textOfDecimal',
  'bool string': 'textOfBool',
  'timestamp string': 'timestampText',
  'duration string': 'durationText',
  'bytes string': 'stringOfBytes',
  'string int': 'intOfString',
  'double int': 'intOfDouble',
  'decimal int': 'intOfDecimal',
  'timestamp int': 'intOfTimestamp',
  'string double': 'doubleOfString',
  'int double': 'doubleOfInt',
  'decimal double': 'doubleOfDecimal',
  'string bool': 'boolOfString',
  'string timestamp': 'timestampOfString',
  'int timestamp': 'timestampOfSeconds',
  'string duration': 'durationOfString',
}

function checkRound(checker: Checker, call: Call): Typed {
  const { args, range } = call
  if (args.length !== 2) return argumentCount(checker, call, 'round(x, digits)')
  const value = checker.value(args[0]!)
  const digits = checker.valueOf(args[1]!, int, 'The digits of "round"')
  if (value.type.kind === 'error' || digits.type.kind === 'error') return checker.error(range)
  if (digits.kind !== 'constant' || typeof digits.value !== 'number' || digits.value < 0 || digits.value > 18) {
    return checker.report(
      'type-mismatch',
      'The digits of "round" need to be written out, from 0 to 18, since they make the type',
      digits.range,
    )
  }
  const type: Type = { kind: 'decimal', digits: digits.value }
  switch (value.type.kind) {
    case 'int':
      return checker.apply('roundInt', [value, digits], type, range)
    case 'double':
      return checker.apply('roundDouble', [value, digits], type, range)
    case 'decimal':
      return checker.apply('roundDecimal', [value, constantInt(value.type.digits, range), digits], type, range)
    default:
      return checker.report('type-mismatch', `"round" needs a number, found ${describeType(value.type)}`, value.range)
  }
}

function checkExtreme(checker: Checker, call: Call, operation: 'least' | 'greatest'): Typed {
  const { args, range } = call
  if (args.length === 0) return argumentCount(checker, call, `math.${operation}(a, b)`)
  let values = args.map(arg => checker.value(arg))
  if (values.some(value => value.type.kind === 'error')) return checker.error(range)
  const [single] = values
  if (values.length === 1 && single!.type.kind === 'list') {
    const { element } = single!.type
    if (!isNumber(element))
      return checker.report('type-mismatch', `"math.${operation}" needs numbers, found ${describeType(element)}`, single!.range)
    return checker.apply(operation, [single!], element, range)
  }
  const wide =
    values.find(value => value.type.kind === 'decimal') ?? values.find(value => value.type.kind === 'double') ?? single!
  values = values.map(value => checker.promote(value, wide.type))
  const other = values.find(value => !isNumber(value.type) || !comparable(value.type, wide.type))
  if (other !== undefined) {
    return checker.report(
      'type-mismatch',
      `"math.${operation}" needs numbers of one type, found ${describeType(wide.type)} and ${describeType(other.type)}`,
      other.range,
    )
  }
  const elements = values.map(value => ({ value, optional: false }))
  const list: Typed = { kind: 'list', elements, type: { kind: 'list', element: wide.type }, missing: false, range }
  return checker.apply(operation, [list], wide.type, range)
}

// Shared ---------------------------------------------------------------------------------------------------------------------------------------

function applySignature(checker: Checker, call: Call, before: readonly Typed[], overloads: readonly Signature[]): Typed {
  const signature = overloads.find(({ args }) => args.length === call.args.length)
  if (signature === undefined) {
    const forms = overloads.map(({ args }) => `${call.name}(${args.map(describeType).join(', ')})`)
    return argumentCount(checker, call, forms.join(' or '))
  }
  const args = call.args.map((arg, index) => checker.valueOf(arg, signature.args[index]!, `An argument of "${call.name}"`))
  if (args.some(arg => arg.type.kind === 'error')) return checker.error(call.range)
  return checker.apply(signature.operation, [...before, ...args], signature.result, call.range)
}

function noArguments(checker: Checker, call: Call, make: () => Typed): Typed {
  return call.args.length === 0 ? make() : argumentCount(checker, call, `${call.name}()`)
}

function argumentCount(checker: Checker, call: Call, form: string): Typed {
  return checker.report(
    'type-mismatch',
    `"${call.name}" is called as ${form}, found ${call.args.length} argument${call.args.length === 1 ? '' : 's'}`,
    call.range,
  )
}

function unknownMethod(checker: Checker, call: Call, type: Type, names: readonly string[]): Typed {
  const otherName = Object.hasOwn(namesElsewhere, call.name) ? namesElsewhere[call.name]! : ''
  // The first argument of a macro is a new name.
  if (!Object.hasOwn(macros, otherName)) for (const arg of call.args) checker.check(arg)
  return checker.report('unknown-function', `${describeType(type)} has no function "${call.name}"`, call.nameRange, {
    suggestion: names.includes(otherName) ? otherName : nearest(call.name, names),
  })
}

/** As other languages call them. */
const namesElsewhere: Readonly<Record<string, string>> = {
  length: 'size',
  count: 'size',
  toLowerCase: 'lowerAscii',
  lower: 'lowerAscii',
  toUpperCase: 'upperAscii',
  upper: 'upperAscii',
  includes: 'contains',
  some: 'exists',
  any: 'exists',
  every: 'all',
  strip: 'trim',
}

function refused(checker: Checker, call: Call, message: string): Typed {
  return checker.report('refused-function', message, call.nameRange)
}

/** What conversions and `size` are made of. */
const needs: Readonly<Record<string, string>> = {
  size: 'a text, a list or a map',
  string: 'a number, a bool, a timestamp or a duration',
  int: 'a number, a text or a timestamp',
  double: 'a number or a text',
  bool: 'a text, "true" or "false"',
  timestamp: 'a text, or an int: seconds since 1970',
  duration: 'a text as "168h"',
}

function noConversion(checker: Checker, name: string, arg: Typed, range: Range): Typed {
  const needed = needs[name] ?? 'a number'
  return checker.report('type-mismatch', `"${name}" needs ${needed}, found ${describeType(arg.type)}`, range)
}

/** A text of the user in a message; long ones are cut. */
function quoted(text: string): string {
  return text.length > 40 ? `"${text.slice(0, 39)}…"` : `"${text}"`
}

function constantInt(value: number, range: Range): Typed {
  return { kind: 'constant', value, type: int, missing: false, range }
}

function isNumber(type: Type): boolean {
  return type.kind === 'int' || type.kind === 'double' || type.kind === 'decimal'
}

function hasOrder(type: Type): boolean {
  return isNumber(type) || isText(type) || ['timestamp', 'duration', 'bool', 'error'].includes(type.kind)
}
