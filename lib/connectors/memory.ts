// Stores in memory, behind the same ports as the real ones: for the first command, `sluice test` and unit tests.
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import {
  Fenced,
  type LookupPort,
  type LookupRequest,
  type OutputRecord,
  type ProducerSession,
  RetryableError,
  type Transaction,
  type TransactionPort,
  Unanswered,
} from '../runtime/ports.ts'

/** A store's content, laid out as the reference cases' lookups.json. */
export type StoreContent = Readonly<
  Record<
    string,
    | { type: 'string'; value: string }
    | { type: 'hash'; value: Readonly<Record<string, string>> }
    | { type: 'set'; value: readonly string[] }
  >
>

export interface MemoryStore extends LookupPort {
  /** How often the store was asked, and for what: round trips and keys. */
  readonly calls: readonly (readonly LookupRequest[])[]
}

/** Answers as Redis would, WRONGTYPE included. `failing` keys give no answer: a request or an item alone, other kinds with their whole pipeline. */
export function memoryStore(content: StoreContent, failing: ReadonlySet<string> = new Set()): MemoryStore {
  const entries = new Map(Object.entries(content))
  const calls: (readonly LookupRequest[])[] = []
  return { calls, lookupMany, close: async () => undefined }

  async function lookupMany(requests: readonly LookupRequest[]): Promise<readonly (readonly (LookupAnswer | Unanswered)[])[]> {
    calls.push(requests)
    return requests.map(request => request.keys.map((key, k) => answer(request, key, request.members?.[k])))
  }

  function answer({ command }: LookupRequest, key: string, member: string | undefined): LookupAnswer | Unanswered {
    if (failing.has(key) || (command.kind === 'item' && failing.has(`${command.table} ${key}`))) {
      const store = command.kind === 'request' ? 'http' : command.kind === 'item' ? 'dynamodb' : 'redis'
      const id = `${store}-unreachable`
      const error = new RetryableError(id, `[${id}] the embedded store was told not to answer for "${key}"`)
      if (store !== 'redis') return new Unanswered(error)
      throw error
    }
    // Items of several tables may have equal keys: a file of samples writes the table before the key.
    const entry = (command.kind === 'item' ? entries.get(`${command.table} ${key}`) : undefined) ?? entries.get(key)
    if (entry === undefined)
      return command.kind === 'hash' ? command.fields.map(() => null) : command.kind === 'member' ? false : null
    if (command.kind === 'hash' && entry.type === 'hash')
      return command.fields.map(field => (Object.hasOwn(entry.value, field) ? entry.value[field]! : null))
    if ((command.kind === 'string' || command.kind === 'item' || command.kind === 'request') && entry.type === 'string')
      return entry.value
    if (command.kind === 'member' && entry.type === 'set') return entry.value.includes(member!)
    return new WrongKind(entry.type)
  }
}

export interface MemoryLog extends TransactionPort {
  /** What a read_committed consumer sees, in order of commits. */
  readonly committed: readonly OutputRecord[]
}

/** Transactions and progress in memory, with epochs as a broker has them. `onCommit` sees each transaction once it is committed. */
export function memoryLog(onCommit: (transaction: Transaction) => void = () => undefined): MemoryLog {
  const epochs = new Map<string, number>()
  const positions = new Map<string, bigint>()
  const committed: OutputRecord[] = []
  return {
    committed,
    async fence(transactionalId) {
      const epoch = (epochs.get(transactionalId) ?? -1) + 1
      epochs.set(transactionalId, epoch)
      return { transactionalId, epoch }
    },
    async readProgress(group, { topic, partition }) {
      return positions.get(`${group}/${topic}/${partition}`)
    },
    async endOffset() {
      return 2n ** 62n
    },
    async transact(session: ProducerSession, transaction: Transaction) {
      if (epochs.get(session.transactionalId) !== session.epoch)
        throw new Fenced(session.transactionalId, session.epoch, 'a newer epoch is there')
      const { topic, partition } = transaction.progress
      committed.push(...transaction.records)
      positions.set(`${transaction.group}/${topic}/${partition}`, transaction.nextOffset)
      onCommit(transaction)
      return { reusable: true }
    },
    close: async () => undefined,
  }
}
