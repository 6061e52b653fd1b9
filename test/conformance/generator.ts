// Random expressions of CEL for the differential fuzz: well typed, with values at the edges (64 bits, surrogates, clock changes, hostile
// names and patterns). What both sides define differently on purpose is not generated; each such place says so.
import type { Type } from '../../lib/language/types.ts'

export type Random = () => number

/** mulberry32: the same numbers for the same seed, everywhere. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const variables: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['i', { kind: 'int' }],
  ['k', { kind: 'int' }],
  ['d', { kind: 'double' }],
  ['e', { kind: 'double' }],
  ['s', { kind: 'string' }],
  ['r', { kind: 'string' }],
  ['w', { kind: 'string' }],
  ['b', { kind: 'bool' }],
  ['c', { kind: 'bool' }],
  ['li', { kind: 'list', element: { kind: 'int' } }],
  ['ls', { kind: 'list', element: { kind: 'string' } }],
  ['m', { kind: 'map', key: { kind: 'string' }, value: { kind: 'int' } }],
  ['t', { kind: 'timestamp', unit: 'rfc3339' }],
  ['v', { kind: 'timestamp', unit: 'rfc3339' }],
  ['u', { kind: 'duration' }],
])

/** Values as data: who evaluates turns them into its own. */
export interface Bindings {
  readonly i: bigint
  readonly k: bigint
  readonly d: number
  readonly e: number
  readonly s: string
  readonly r: string
  /** The only text with surrogates: the other side orders and counts UTF-16 units there. */
  readonly w: string
  readonly b: boolean
  readonly c: boolean
  readonly li: readonly bigint[]
  readonly ls: readonly string[]
  readonly m: readonly (readonly [string, bigint])[]
  /** Nanoseconds since 1970. */
  readonly t: bigint
  /** The same in whole milliseconds, from the year 1000 on: getters round there, and know no years before 100. */
  readonly v: bigint
  /** Nanoseconds. */
  readonly u: bigint
}

const ints = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  7n,
  -8n,
  10n,
  60n,
  2n ** 31n,
  2n ** 53n - 1n,
  2n ** 53n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]
const doubles = [0, -0, 1, -1, 0.5, 2.5, -7.25, 1e-9, 1e15, 2 ** 53, 1e300, -1e300, NaN, Infinity, -Infinity, 2 ** 63]
const texts = [
  '',
  'a',
  'b',
  'ab',
  'abc',
  'A',
  'é',
  'a b',
  ' x ',
  'aaaa',
  '10',
  '-5',
  '1.5',
  'true',
  'constructor',
  '__proto__',
  'toString',
  '\n',
  '"',
  "'",
  '\\',
  '${a}',
  '</script>',
  '\u2028',
  'a'.repeat(40),
]
const wideTexts = ['😀', 'a😀b', '\u{10ffff}', '👨‍👩‍👧', 'é😀', 'ab', '']
const keys = ['a', 'b', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'é', 'a b']
const patterns = [
  'a',
  '^a',
  'b$',
  '^a*$',
  'a|b',
  '[a-c]+',
  '.',
  '^\\\\d+$',
  '(a+)+b',
  '(a*)*c',
  '\\\\s',
  '^[^a]',
  '(ab)*',
  'a{2,3}',
  '\\\\bab',
  '[',
  '(?i)A',
  '^(a|aa)+$',
]
const zones = ['UTC', 'Europe/Warsaw', 'America/New_York', 'Asia/Kathmandu', '+02:00', '-09:30', 'No/Where']
const seconds = [0n, 1774746000n, 1792890000n, 1764482400n, -1n, 951782400n, 253402300799n, -62135596800n, -62135596799n]
// Sums stay below 292 years, where durations end there.
const spans = ['0s', '1s', '-1s', '1h', '168h', '1ns', '-1500ms', '24000h']
const clockSeconds = [...seconds.slice(0, -2), -30610224000n]

export function drawBindings(random: Random): Bindings {
  const nanos = () => pick(random, [0n, 0n, 1n, 500_000_000n, 999_999_999n])
  return {
    i: drawInt(random),
    k: drawInt(random),
    d: pick(random, doubles),
    e: random() < 0.5 ? pick(random, doubles) : Math.round((random() - 0.5) * 2000) / 8,
    s: pick(random, texts),
    r: pick(random, texts),
    w: pick(random, wideTexts),
    b: random() < 0.5,
    c: random() < 0.5,
    li: list(random, drawInt),
    ls: list(random, inner => pick(inner, texts)),
    m: [...new Map(list(random, inner => [pick(inner, keys), drawInt(inner)] as const))],
    t: pick(random, seconds) * 1_000_000_000n + nanos(),
    v: pick(random, clockSeconds) * 1_000_000_000n + pick(random, [0n, 1_000_000n, 999_000_000n]),
    u: BigInt(Math.round((random() - 0.5) * 1e6)) * 1_000_000_000n,
  }
}

type Kind = 'bool' | 'int' | 'double' | 'text' | 'wide' | 'ints' | 'texts' | 'map' | 'time' | 'clock' | 'span'

/** A well-typed expression; `depth` bounds its nesting. `withDyn`: some values hide their type from the checker. */
export function drawExpression(random: Random, depth: number, withDyn: boolean): string {
  const kinds: readonly Kind[] = ['bool', 'bool', 'bool', 'int', 'int', 'double', 'text', 'ints', 'texts', 'time', 'span']
  return draw(pick(random, kinds), random, depth, 0, withDyn)
}

// `bound`: how many macro variables x0, x1 … (ints) are in scope.
function draw(kind: Kind, random: Random, depth: number, bound: number, withDyn: boolean): string {
  if (depth <= 0 || random() < 0.15) return leaf(kind, random, bound)
  const of = (inner: Kind) => draw(inner, random, depth - 1, bound, withDyn)
  const macro = (body: Kind) => draw(body, random, depth - 1, bound + 1, withDyn)
  const x = `x${bound}`
  if (withDyn && random() < 0.08) return `dyn(${of(kind)})`
  if (random() < 0.08) return `(${of('bool')} ? ${of(kind)} : ${of(kind)})`
  // Values of two types, which only dyn lets meet.
  if (withDyn && kind === 'bool' && random() < 0.1) {
    const any = () => of(pick(random, ['int', 'double', 'text', 'ints', 'texts', 'map', 'time', 'span', 'bool'] as const))
    return `(dyn(${any()}) ${pick(random, ['==', '!=', '<', '<=', '>', '>='])} ${random() < 0.5 ? of('int') : any()})`
  }
  switch (kind) {
    case 'bool': {
      const ordered = pick(random, ['int', 'double', 'text', 'time', 'span', 'bool'] as const)
      const equal = pick(random, ['int', 'double', 'text', 'wide', 'ints', 'texts', 'map', 'time', 'span', 'bool'] as const)
      return pick(random, [
        () => `(${of('bool')} && ${of('bool')})`,
        () => `(${of('bool')} || ${of('bool')})`,
        () => `!${of('bool')}`,
        () => `(${of(ordered)} ${pick(random, ['<', '<=', '>', '>='])} ${of(ordered)})`,
        () => `(${of(equal)} ${pick(random, ['==', '!='])} ${of(equal)})`,
        () => `(${of('int')} in ${of('ints')})`,
        () => `(${of('text')} in ${of('texts')})`,
        () => `(${of('text')} in ${of('map')})`,
        () => `${of('text')}.${pick(random, ['contains', 'startsWith', 'endsWith'])}(${of('text')})`,
        () => `${of('wide')}.${pick(random, ['contains', 'startsWith', 'endsWith'])}(${of('wide')})`,
        () => `${of('text')}.matches('${pick(random, patterns)}')`,
        () => `${of('ints')}.${pick(random, ['all', 'exists', 'exists_one'])}(${x}, ${macro('bool')})`,
        () => `has(${of('map')}.${pick(random, ['a', 'b', 'constructor', '__proto__', 'toString'])})`,
      ])()
    }
    case 'int':
      return pick(random, [
        () => `(${of('int')} ${pick(random, ['+', '-', '*', '/', '%'])} ${of('int')})`,
        // @bufbuild/cel takes two signs for none, also through parentheses, and misses the overflow of -(-(minInt)).
        () => `-(${of('int')} + 0)`,
        () => `size(${of(pick(random, ['text', 'wide', 'ints', 'texts', 'map'] as const))})`,
        () => `int(${of('double')})`,
        // The empty text is 0 there.
        () => `int(${pick(random, ["'10'", "'-5'", "'1.5'", "'abc'", "'9223372036854775808'"])})`,
        () => `${of('ints')}[${of('int')}]`,
        () => `${of('map')}[${of('text')}]`,
        () => `${of('map')}.${pick(random, ['a', 'b', 'constructor', 'toString'])}`,
        () => `${of('clock')}.${getter(random)}()`,
        () => `${of('clock')}.${getter(random)}('${pick(random, zones)}')`,
        () => `${of('span')}.${pick(random, ['getHours', 'getMinutes', 'getSeconds'])}()`,
        () => `${of('text')}.${pick(random, ['indexOf', 'lastIndexOf'])}(${of('text')})`,
      ])()
    case 'double':
      return pick(random, [
        () => `(${of('double')} ${pick(random, ['+', '-', '*', '/'])} ${of('double')})`,
        () => `-(${of('double')} + 0.0)`,
        () => `double(${of('int')})`,
      ])()
    case 'text':
      return pick(random, [
        () => `(${of('text')} + ${of('text')})`,
        () => `string(${of(pick(random, ['int', 'bool', 'text'] as const))})`,
        () => `${of('texts')}[${of('int')}]`,
        () => `${of('text')}.${pick(random, ['lowerAscii', 'upperAscii', 'trim'])}()`,
        () => `${of('text')}.charAt(${of('int')})`,
        () => `${of('text')}.substring(${of('int')})`,
        () => `${of('texts')}.join(${of('text')})`,
        // For an empty part, which stands between all code points (as in Go), @bufbuild/cel repeats the replacement in front.
        () => `${of('text')}.replace(${quoted(pick(random, texts.slice(1)))}, ${of('text')})`,
        () => `strings.quote(${of('text')})`,
      ])()
    case 'wide':
      return `(${of('wide')} + ${of('wide')})`
    case 'ints':
      return pick(random, [
        () => `[${of('int')}, ${of('int')}]`,
        () => `(${of('ints')} + ${of('ints')})`,
        () => `${of('ints')}.filter(${x}, ${macro('bool')})`,
        () => `${of('ints')}.map(${x}, ${macro('int')})`,
        () => `${of('ints')}.map(${x}, ${macro('bool')}, ${macro('int')})`,
        () => `${of('texts')}.map(y, size(y))`,
      ])()
    case 'texts':
      return pick(random, [
        () => `[${of('text')}, ${of('text')}]`,
        () => `(${of('texts')} + ${of('texts')})`,
        () => `${of('ints')}.map(${x}, ${macro('text')})`,
        () => `${of('texts')}.filter(y, y != ${of('text')})`,
        () => `${of('text')}.split(${of('text')})`,
      ])()
    case 'map':
      return `{${quoted(pick(random, keys))}: ${of('int')}}`
    case 'time':
      return `(${of('time')} ${pick(random, ['+', '-'])} ${of('span')})`
    case 'clock':
      return `(${of('clock')} ${pick(random, ['+', '-'])} duration('${pick(random, ['1h', '-1s', '168h', '999ms'])}'))`
    case 'span':
      return pick(random, [
        () => `(${of('span')} ${pick(random, ['+', '-'])} ${of('span')})`,
        () =>
          `(timestamp('2026-11-30T06:00:00Z') - ${pick(random, ["timestamp('2026-03-29T01:00:00Z')", "timestamp('1970-01-01T00:00:00.5Z')"])})`,
      ])()
  }
}

function leaf(kind: Kind, random: Random, bound: number): string {
  switch (kind) {
    case 'bool':
      return pick(random, ['true', 'false', 'b', 'c'])
    case 'int':
      if (bound > 0 && random() < 0.5) return `x${Math.floor(random() * bound)}`
      return pick(random, ['i', 'k', '0', '1', '2', '-1', '7', '9223372036854775807', '-9223372036854775808', '9007199254740993'])
    case 'double':
      return pick(random, ['d', 'e', '0.0', '1.5', '-2.25', '1e3', '1e308'])
    case 'text':
      return pick(random, ['s', 'r', 's', 'r', quoted(pick(random, texts))])
    case 'wide':
      return pick(random, ['w', "'😀'", "'a'"])
    case 'ints':
      return pick(random, ['li', 'li', '[1, 2, 3]', '[0, 9223372036854775807]'])
    case 'texts':
      return pick(random, ['ls', 'ls', "['a', 'b']"])
    case 'map':
      return pick(random, ['m', 'm', "{'a': 1, 'constructor': 2}"])
    case 'time':
      return pick(random, ['t', 't', "timestamp('2026-10-25T00:30:00Z')", "timestamp('2024-02-29T23:59:59.999Z')"])
    case 'clock':
      return pick(random, ['v', 'v', "timestamp('2026-10-25T00:30:00Z')", "timestamp('2024-02-29T23:59:59.999Z')"])
    case 'span':
      return pick(random, ['u', `duration('${pick(random, spans)}')`])
  }
}

function getter(random: Random): string {
  return pick(random, [
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
  ])
}

/** As CEL writes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\u2028', '\\u2028')}'`
}

function drawInt(random: Random): bigint {
  return random() < 0.6 ? BigInt(Math.floor(random() * 20) - 5) : pick(random, ints)
}

function list<Element>(random: Random, element: (random: Random) => Element): Element[] {
  return Array.from({ length: Math.floor(random() * 4) }, () => element(random))
}

function pick<Element>(random: Random, from: readonly Element[]): Element {
  return from[Math.floor(random() * from.length)]!
}
