// Every operation on plain values: how it is written in JavaScript, how the interpreter computes it, and whether it can fail. Arguments have
// the static types that the checker has chosen the operation for.
import * as std from './standard/index.ts'

export interface Operation {
  readonly code: (args: readonly string[]) => string
  readonly compute: (...args: never[]) => unknown
  readonly canFail: boolean
}

const operator = (symbol: string, compute: (a: never, b: never) => unknown): Operation => ({
  code: ([a, b]) => `(${a} ${symbol} ${b})`,
  compute,
  canFail: false,
})

const call = (name: keyof typeof std, canFail: boolean): Operation => ({
  code: args => `std.${name}(${args.join(', ')})`,
  compute: std[name] as never,
  canFail,
})

const comparison = (
  compare: 'compareStrings' | 'compareTimestamps' | 'compareDurations' | 'compare',
  symbol: '<' | '<=' | '>' | '>=',
): Operation => {
  const holds = {
    '<': (c: number) => c < 0,
    '<=': (c: number) => c <= 0,
    '>': (c: number) => c > 0,
    '>=': (c: number) => c >= 0,
  }[symbol]
  return {
    code: ([a, b]) => `(std.${compare}(${a}, ${b}) ${symbol} 0)`,
    compute: (a: never, b: never) => holds((std[compare] as (a: never, b: never) => number)(a, b)),
    canFail: false,
  }
}

type Numeric = number | bigint

export const operations = {
  // Equality. Ints, decimals and texts have one form per value, so === is exact.
  same: operator('===', (a, b) => a === b),
  different: operator('!==', (a, b) => a !== b),
  equals: call('equals', false),
  differs: { code: ([a, b]) => `!std.equals(${a}, ${b})`, compute: (a, b) => !std.equals(a, b), canFail: false },

  // Order. JavaScript compares numbers with bigints exactly.
  '<': operator('<', (a: Numeric, b: Numeric) => a < b),
  '<=': operator('<=', (a: Numeric, b: Numeric) => a <= b),
  '>': operator('>', (a: Numeric, b: Numeric) => a > b),
  '>=': operator('>=', (a: Numeric, b: Numeric) => a >= b),
  ...Object.fromEntries(
    (['<', '<=', '>', '>='] as const).flatMap(symbol => [
      [`string ${symbol}`, comparison('compareStrings', symbol)],
      [`timestamp ${symbol}`, comparison('compareTimestamps', symbol)],
      [`duration ${symbol}`, comparison('compareDurations', symbol)],
    ]),
  ),

  // Arithmetic.
  'double +': operator('+', (a: number, b: number) => a + b),
  'double -': operator('-', (a: number, b: number) => a - b),
  'double *': operator('*', (a: number, b: number) => a * b),
  'double /': operator('/', (a: number, b: number) => a / b),
  'double neg': { code: ([a]) => `(-${a})`, compute: (a: number) => -a, canFail: false },
  'string +': operator('+', (a: string, b: string) => a + b),
  ...Object.fromEntries(
    (
      [
        'addInt',
        'subInt',
        'mulInt',
        'divInt',
        'modInt',
        'negInt',
        'divDecimal',
        'addDuration',
        'subDuration',
        'subTimestamps',
        'addDurations',
        'subDurations',
        'negDuration',
        'elementAt',
        'valueAt',
        'first',
        'last',
        'sumOfInts',
        'sumOfDoubles',
        'sumOfDurations',
        'substring',
        'charAt',
        'replace',
        'split',
        'indexOf',
        'lastIndexOf',
        'intOfString',
        'intOfDouble',
        'intOfTimestamp',
        'doubleOfString',
        'boolOfString',
        'timestampOfString',
        'timestampOfSeconds',
        'durationOfString',
        'roundDouble',
        'roundInt',
        'roundDecimal',
        'formatTimestamp',
        'bucket',
        'least',
        'greatest',
        'absInt',
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
        'join',
        'stringOfBytes',
      ] as const
    ).map(name => [name, call(name, true)]),
  ),
  ...Object.fromEntries(
    (
      [
        'concat',
        'keys',
        'listHas',
        'mapHas',
        'mapGet',
        'sizeOfString',
        'trim',
        'lowerAscii',
        'upperAscii',
        'reverse',
        'quote',
        'doubleOfInt',
        'doubleOfDecimal',
        'intOfDecimal',
        'stringOfDouble',
        'textOfInt',
        'textOfBool',
        'timestampText',
        'durationText',
        'textOfDecimal',
        'distanceKm',
        'ceil',
        'floor',
        'trunc',
        'roundHalf',
        'absDouble',
        'isNan',
        'isInfinite',
        'isFiniteDouble',
        'signDouble',
        'signInt',
        'sqrt',
        'durationHours',
        'durationMinutes',
        'durationSeconds',
        'durationMilliseconds',
        'bytesOfString',
      ] as const
    ).map(name => [name, call(name, false)]),
  ),

  // On values whose type is known at run time only; the conformance suite has them, scenarios never.
  ...Object.fromEntries(
    (
      [
        'add',
        'sub',
        'mul',
        'div',
        'mod',
        'neg',
        'size',
        'index',
        'indexOrNone',
        'field',
        'hasField',
        'isIn',
        'condition',
        'rangeOf',
        'compare',
        'asKind',
        'fail',
        'toStringOf',
        'toInt',
        'toUint',
        'toDouble',
        'toBool',
        'toBytes',
        'toTimestamp',
        'toDuration',
        'formatText',
        'valueOfOptional',
        'abs',
        'sign',
        'bitAnd',
        'bitOr',
        'bitXor',
        'bitNot',
        'bitShiftLeft',
        'bitShiftRight',
        'matches',
        'timePart',
        'missingOf',
        'roundDyn',
        'hasPart',
      ] as const
    ).map(name => [name, call(name, true)]),
  ),
  ...Object.fromEntries(
    (['typeOf', 'isZeroValue', 'optionalOf', 'optionalOfMissing', 'hasValue', 'ofNonZero', 'orElse', 'unboxed'] as const).map(
      name => [name, call(name, false)],
    ),
  ),
  optionalNone: { code: () => 'std.Optional.none', compute: () => std.Optional.none, canFail: false },
  ...Object.fromEntries(
    (['<', '<=', '>', '>='] as const).map(symbol => [`dyn ${symbol}`, { ...comparison('compare', symbol), canFail: true }]),
  ),

  // Texts and lists.
  contains: { code: ([a, b]) => `${a}.includes(${b})`, compute: (a: string, b: string) => a.includes(b), canFail: false },
  startsWith: { code: ([a, b]) => `${a}.startsWith(${b})`, compute: (a: string, b: string) => a.startsWith(b), canFail: false },
  endsWith: { code: ([a, b]) => `${a}.endsWith(${b})`, compute: (a: string, b: string) => a.endsWith(b), canFail: false },
  length: { code: ([a]) => `${a}.length`, compute: (a: { length: number }) => a.length, canFail: false },
  mapSize: { code: ([a]) => `${a}.size`, compute: (a: { size: number }) => a.size, canFail: false },
  /** `[?k]`: undefined beyond the list. */
  elementOrMissing: {
    code: ([list, index]) => `${list}[${index}]`,
    compute: (list: never[], index: never) => list[index],
    canFail: false,
  },
} as const satisfies Record<string, Operation>

export function operationOf(name: string): Operation {
  const operation = (operations as Readonly<Record<string, Operation>>)[name]
  if (operation === undefined) throw new Error(`there is no operation "${name}"`)
  return operation
}
