// Expected against actual, as the reference cases want it: nothing missing, nothing else, and in order where order is promised.
import type { OutputLine } from './reference.ts'

export interface Comparison {
  readonly expectedCount: number
  readonly missing: readonly OutputLine[]
  readonly unexpected: readonly OutputLine[]
  readonly outOfOrder: readonly OutputLine[]
}

/** An output, and the line of outputs whose order is promised: per source partition, on real topics also per topic and key. */
export interface ActualLine extends OutputLine {
  readonly sequence: string
}

export function compare(expected: readonly OutputLine[], actual: readonly ActualLine[]): Comparison {
  // Equal lines are told apart by their rank: a record may well give the same output twice.
  const places = new Map<string, number[]>()
  for (let i = 0; i < expected.length; i++) {
    const identity = identityOf(expected[i]!)
    places.set(identity, [...(places.get(identity) ?? []), i])
  }
  const unexpected: OutputLine[] = []
  const sequences = new Map<string, number[]>()
  for (const line of actual) {
    const place = places.get(identityOf(line))?.shift()
    if (place === undefined) unexpected.push(line)
    else sequences.set(line.sequence, [...(sequences.get(line.sequence) ?? []), place])
  }
  const missing = [...places.values()].flat().sort((a, b) => a - b)
  const outOfOrder = [...sequences.values()].flatMap(outsideOfLongestAscent)
  return {
    expectedCount: expected.length,
    missing: missing.map(place => expected[place]!),
    unexpected,
    outOfOrder: outOfOrder.map(place => expected[place]!),
  }
}

export function isEqual({ missing, unexpected, outOfOrder }: Comparison): boolean {
  return missing.length + unexpected.length + outOfOrder.length === 0
}

export function describe({ topic, key, value, from }: OutputLine): string {
  return `${topic} ${JSON.stringify(key)} ${value} from ${from.topic}-${from.partition}@${from.offset}`
}

function identityOf({ topic, key, value, from }: OutputLine): string {
  return JSON.stringify([topic, key, value, from.topic, from.partition, from.offset])
}

/** What would have to move: the rest beside a longest ascending subsequence. */
function outsideOfLongestAscent(places: readonly number[]): readonly number[] {
  const lengths: number[] = []
  const previous: number[] = []
  let last = -1
  for (let i = 0; i < places.length; i++) {
    lengths[i] = 1
    previous[i] = -1
    for (let k = 0; k < i; k++) {
      if (places[k]! < places[i]! && lengths[k]! >= lengths[i]!) {
        lengths[i] = lengths[k]! + 1
        previous[i] = k
      }
    }
    if (last === -1 || lengths[i]! > lengths[last]!) last = i
  }
  const kept = new Set<number>()
  for (let i = last; i !== -1; i = previous[i]!) kept.add(i)
  return places.filter((_, i) => !kept.has(i))
}
