// What the lock of a partition notes in DynamoDB: the keys that its last write was about to change, and the caps that were asked. An item has 400 KB,
// and a batch may change 10,000 keys of 2 KB. So notes that are too long for the lock stand on pages, which are there before the lock names them;
// those that it names are not touched until it names others: there are two sets of pages, in turn.
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { StateLock } from '../runtime/ports.ts'
import { lockName, type lockNotes } from './state-keys.ts'

export type Notes = ReturnType<typeof lockNotes>

type Attributes = Readonly<Record<string, AttributeValue>>

/** Of a lock's notes, or a page's: with signature, names and the page's own key far from 400 KB. */
const pageBytes = 300_000

export type PageSet = 'a' | 'b'

/** In the lock: which pages count. Absent or "": its own notes do. */
export const pagesAttribute = (set: PageSet, count: number) => `${set}/${count}`

export function pageNames(lock: StateLock, pages: string | undefined): readonly string[] {
  if (pages === undefined || pages === '') return []
  const [set, count] = pages.split('/') as [PageSet, string]
  return Array.from({ length: Number(count) }, (_, index) => pageName(lock, set, index))
}

/** No topic and no entry has a "#" before it. */
export const pageName = (lock: StateLock, set: PageSet, index: number) => `${lockName(lock)}#${set}/${index}`

/** The set that does not count. */
export const otherSet = (pages: string | undefined): PageSet => (pages?.startsWith('a') === true ? 'b' : 'a')

/** One where all fits into the lock. Each is whole in itself. */
export function pagesOf({ keys, caps }: Notes): readonly Notes[] {
  const pages: { keys: string[]; caps: [string, string][] }[] = []
  let bytes = pageBytes
  const pageFor = (text: string) => {
    const more = Buffer.byteLength(text) + 1
    if (bytes + more > pageBytes) {
      pages.push({ keys: [], caps: [] })
      bytes = 4
    }
    bytes += more
    return pages.at(-1)!
  }
  for (const key of keys) pageFor(JSON.stringify(key)).keys.push(key)
  for (const [key, until] of caps) pageFor(JSON.stringify([key, until])).caps.push([key, until])
  return pages.length === 0 ? [{ keys, caps }] : pages
}

export function attributesOf({ keys, caps }: Notes): Record<'keys' | 'caps', AttributeValue> {
  return { keys: { S: JSON.stringify(keys) }, caps: { S: JSON.stringify(caps) } }
}

/** Of a lock, or a page. */
export function notesOf(found: Attributes | undefined): Notes {
  return {
    keys: JSON.parse(found?.['keys']?.S ?? '[]') as readonly string[],
    caps: JSON.parse(found?.['caps']?.S ?? '[]') as readonly (readonly [string, string])[],
  }
}
