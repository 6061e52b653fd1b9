// Whether evaluation can throw. Types and presence facts have excluded most of what can; what is left are overflows, divisions, conversions
// of texts, places beyond a list, and names whose value may be a failure.
import { operationOf } from './operations.ts'
import { childrenOf, type Typed } from './typed.ts'

export function canFail(node: Typed, nameMayFail: (name: string) => boolean): boolean {
  switch (node.kind) {
    case 'name':
      return nameMayFail(node.name)
    case 'apply':
      if (operationOf(node.operation).canFail && !isSafe(node)) return true
      break
    case 'loop':
      // Of an empty list there is no least and no greatest.
      if (node.loop === 'minBy' || node.loop === 'maxBy') return true
      break
    case 'map':
      // Two keys may be equal.
      if (node.entries.some(entry => entry.key.kind !== 'constant') || hasEqualKeys(node)) return true
      break
  }
  return childrenOf(node).some(child => canFail(child, nameMayFail))
}

function hasEqualKeys({ entries }: Typed & { kind: 'map' }): boolean {
  return new Set(entries.map(({ key }) => (key.kind === 'constant' ? key.value : key))).size < entries.length
}

/** Constant arguments that the checker has found right: zones, patterns, divisors, texts of times. */
function isSafe(node: Typed & { kind: 'apply' }): boolean {
  const [first, second] = node.args
  switch (node.operation) {
    case 'timestampOfString':
    case 'durationOfString':
      return first!.kind === 'constant'
    case 'formatTimestamp':
      return second!.kind === 'constant' && isKnownZone(node.args[2]!)
    case 'getFullYear':
    case 'getMonth':
    case 'getDate':
    case 'getDayOfMonth':
    case 'getDayOfYear':
    case 'getDayOfWeek':
    case 'getHours':
    case 'getMinutes':
    case 'getSeconds':
    case 'getMilliseconds':
      return second === undefined || isKnownZone(second)
    case 'modInt':
    case 'divInt':
      return second!.kind === 'constant' && second!.value !== 0 && second!.value !== -1
    case 'divDecimal':
      return second!.kind === 'constant' && second!.value !== 0 && second!.value !== -1
    case 'bitAnd':
    case 'bitOr':
    case 'bitXor':
    case 'bitNot':
      return node.args.every(arg => arg.type.kind === 'int')
    case 'bitShiftLeft':
    case 'bitShiftRight':
      return first!.type.kind === 'int' && second!.kind === 'constant' && (second!.value as number) >= 0
    case 'least':
    case 'greatest':
      return first!.kind === 'list' && first!.elements.length > 0
    case 'split':
    case 'join':
    case 'replace':
      return true
    default:
      return false
  }
}

function isKnownZone(zone: Typed): boolean {
  return zone.kind === 'constant' || zone.type.kind === 'timezone'
}
