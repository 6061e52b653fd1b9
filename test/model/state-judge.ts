// What a schedule of the model of state may never leave behind. Knows the records and what came out, nothing of how it came about.
import { capRules } from './state-caps.ts'
import {
  type Cap,
  type Output,
  type Owner,
  type Place,
  recordCount,
  type SourceRecord,
  type StateVariant,
  valueLeftAt,
  type World,
} from './state-world.ts'

/** What is wrong, with the place where it was seen, or undefined. */
export function judgeState(world: World, variant: StateVariant): string | undefined {
  return (
    isComplete(world) ??
    world.items.map((_, fn) => memories(world, fn, variant)).find(finding => finding !== undefined) ??
    (variant.atLeastOnce ? copies(world, variant) : inOrder(world, variant)) ??
    notTooMany(world, variant) ??
    noneLeaked(world) ??
    (world.alarms > 0 ? 'an alarm without reason' : undefined)
  )
}

function isComplete({ owners, outputs }: World): string | undefined {
  const all = Array.from({ length: recordCount }, (_, offset) => offset).join()
  return owners.some(({ id }) => outputs[id]!.map(({ offset }) => offset).join() !== all) ? 'lost or twice' : undefined
}

/**
 * The values of a key follow each other as links of one chain, whoever set them: each record shows one that was committed when it was, no
 * earlier one than its partition has shown or set, and the last one where nobody else uses the key.
 */
function memories(world: World, fn: number, { keysMove }: StateVariant): string | undefined {
  const owners = world.owners.filter(owner => owner.fn === fn)
  const setters = owners.flatMap(owner =>
    world.outputs[owner.id]!.filter(({ accepted }) => accepted).map(output => ({ owner, output })),
  )
  const chains = world.items[fn]!.map((_, key) => {
    const links = new Map<number, { readonly index: number; readonly commit: number }>([[-1, { index: 0, commit: 0 }]])
    const followers = new Map<number, { readonly owner: Owner; readonly output: Output }>()
    for (const setter of setters) if (setter.output.key === key) followers.set(setter.output.previous, setter)
    for (let value = -1; followers.has(value); ) {
      const { owner, output } = followers.get(value)!
      value = valueLeftAt(owner.partition, output.offset)
      if (links.has(value)) break
      links.set(value, { index: links.size, commit: output.commit })
    }
    return links
  })
  for (const { owner, output } of setters)
    if (!chains[output.key]!.has(valueLeftAt(owner.partition, output.offset)))
      return `wrong previous value at ${coordinates(owner, output)}`
  for (const owner of owners) {
    const records = world.records[owner.partition]!
    const reached = chains.map(() => 0)
    for (const output of world.outputs[owner.id]!) {
      const shown: (readonly [finding: string, key: number, value: number])[] = [
        ['wrong previous value', output.key, output.previous],
      ]
      if (output.other !== undefined) shown.push(['wrong value of another key', records[output.offset]!.other, output.other])
      for (const [finding, key, value] of shown) {
        const link = chains[key]!.get(value)
        const isOwn = !keysMove && owner.partition === Math.floor(key / (chains.length / 2))
        const isRight =
          link !== undefined &&
          link.commit <= output.commit &&
          (isOwn ? link.index === reached[key] : link.index >= reached[key]!)
        if (!isRight) return `${finding} at ${coordinates(owner, output)}`
        reached[key] = link.index
      }
      if (output.accepted) reached[output.key] = chains[output.key]!.get(valueLeftAt(owner.partition, output.offset))!.index
    }
  }
  return undefined
}

/** Each partition's own cap answers as if every record had been decided once, in order. */
function inOrder(world: World, variant: StateVariant): string | undefined {
  const { limit, within, hasUnits, hasMembers } = capRules('own', variant)
  for (const owner of world.owners) {
    const held: { readonly record: SourceRecord; readonly number: number }[] = []
    for (const output of world.outputs[owner.id]!) {
      const record = world.records[owner.partition]![output.offset]!
      const counting = held.filter(one => one.record.time > record.time - within)
      const units = counting.reduce((sum, one) => sum + (hasUnits ? one.record.units : 1), hasUnits ? record.units : 1)
      const isFree = units <= limit && !(hasMembers && counting.some(one => one.record.member === record.member))
      const isGranted = output.accepted && isFree
      if (output.isDead ? !(record.isLate && isFree) : isGranted && record.isLate)
        return `a dead letter out of order at ${coordinates(owner, output)}`
      let number = 1
      while (counting.some(one => one.number === number)) number++
      const { ownPlace } = output
      const isRight = isGranted ? ownPlace?.number === number && ownPlace.used === units : ownPlace === undefined
      if (!isRight) return `a place out of order at ${coordinates(owner, output)}`
      if (isGranted) held.push({ record, number })
    }
  }
  return undefined
}

/** What is acknowledged has been emitted; where look-ups answer the same, each copy of a record says the same. */
function copies(world: World, { steadyAnswers, keysMove }: StateVariant): string | undefined {
  for (const owner of world.owners) {
    const emitted = world.emitted[owner.id]!
    for (const output of world.outputs[owner.id]!) {
      const all = emitted.filter(({ offset }) => offset === output.offset)
      if (!all.some(copy => isSame(copy, output, 'as it is')))
        return `acknowledged and never emitted at ${coordinates(owner, output)}`
      if (steadyAnswers && !keysMove && !all.every(copy => isSame(copy, output, 'or refused')))
        return `copies differ at ${coordinates(owner, output)}`
    }
  }
  return undefined
}

/** A record that was refused may get a place when it comes again: another partition may have given one back. */
function isSame(a: Output, b: Output, places: 'as it is' | 'or refused'): boolean {
  const isSamePlace = (one: Place | undefined, other: Place | undefined) =>
    one?.number === other?.number || (places === 'or refused' && (one === undefined || other === undefined))
  return (
    a.previous === b.previous && a.accepted === b.accepted && isSamePlace(a.place, b.place) && isSamePlace(a.ownPlace, b.ownPlace)
  )
}

/** In no window more units than there are, no number and no member twice; at least once with steady look-ups also of copies. */
function notTooMany(world: World, variant: StateVariant): string | undefined {
  const shown = world.owners.flatMap(({ id }) => [
    ...world.outputs[id]!,
    ...(variant.steadyAnswers && !variant.keysMove ? world.emitted[id]! : []),
  ])
  const all = distinct(shown.flatMap(({ place }) => place ?? []))
  const { limit, within, hasUnits, hasMembers } = capRules('all', variant)
  for (const { time } of all) {
    const window = all.filter(place => place.time <= time && place.time > time - within)
    if (window.reduce((sum, { units }) => sum + (hasUnits ? units : 1), 0) > limit) return 'more places than there are'
    if (new Set(window.map(({ number }) => number)).size < window.length) return 'a place twice'
    if (hasMembers && new Set(window.map(({ member }) => member)).size < window.length) return 'a member twice'
  }
  return undefined
}

function distinct(places: readonly Place[]): readonly Place[] {
  return [...new Map(places.map(place => [`${told(place)}`, place])).values()]
}

/** The store holds the places of what is committed, and no others. */
function noneLeaked({ owners, outputs, places }: World): string | undefined {
  const held = (cap: Cap) => places.filter(place => place.cap === cap).map(told)
  const granted = owners.flatMap(({ id }) => outputs[id]!)
  const isRight =
    held('all').sort().join() ===
      granted
        .flatMap(({ place }) => (place ? [told(place)] : []))
        .sort()
        .join() &&
    held('own').sort().join() ===
      granted
        .flatMap(({ ownPlace }) => (ownPlace ? [told(ownPlace)] : []))
        .sort()
        .join()
  return isRight ? undefined : 'a place leaked'
}

const told = ({ owner, offset, number }: Place): string => `${owner.id}@${offset} has ${number}`
const coordinates = ({ id }: Owner, { offset }: Output): string => `${id}@${offset}`
