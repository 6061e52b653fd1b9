// The messages that a transactional producer speaks, each with its layout as the protocol's reference prints it (without the tagged
// fields that end every structure). Only flexible versions. kafka.apache.org/protocol.html#protocol_api_keys
import type { TopicPartition } from '../../runtime/ports.ts'
import type { Reader, Writer } from './wire.ts'

export interface Api<Request, Response> {
  readonly key: number
  readonly name: ApiName
  readonly oldest: number
  readonly newest: number
  /** False for the one message that never got the flexible encoding, neither in its header nor in its body. */
  readonly flexible?: false
  readonly encode: (writer: Writer, request: Request, version: number) => void
  readonly decode: (reader: Reader, version: number) => Response
}

export type ApiName =
  | 'ApiVersions'
  | 'SaslHandshake'
  | 'SaslAuthenticate'
  | 'Metadata'
  | 'FindCoordinator'
  | 'InitProducerId'
  | 'AddPartitionsToTxn'
  | 'AddOffsetsToTxn'
  | 'TxnOffsetCommit'
  | 'EndTxn'
  | 'Produce'
  | 'OffsetFetch'
  | 'ListOffsets'
  | 'Fetch'
  | 'CreateTopics'
  | 'OffsetDelete'

/** What every transactional request names. */
export interface Owner {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
}

export interface PartitionError extends TopicPartition {
  readonly code: number
}

export interface ApiVersions {
  readonly code: number
  readonly versions: ReadonlyMap<number, { readonly oldest: number; readonly newest: number }>
  /** The cluster's finalised features and their levels, as `transaction.version`. */
  readonly features: ReadonlyMap<string, number>
}

/*
  Request  3: client_software_name: string, client_software_version: string
  Response 3: error_code: int16, api_keys: [api_key: int16, min_version: int16, max_version: int16], throttle_time_ms: int32,
              tag 2 finalized_features: [name: string, max_version_level: int16, min_version_level: int16]
*/
export const apiVersions: Api<{ readonly software: string; readonly softwareVersion: string }, ApiVersions> = {
  key: 18,
  name: 'ApiVersions',
  oldest: 3,
  newest: 3,
  encode: (writer, { software, softwareVersion }) => writer.string(software).string(softwareVersion).noTags(),
  decode(reader) {
    const code = reader.int16()
    const versions = new Map<number, { oldest: number; newest: number }>()
    const features = new Map<string, number>()
    // A broker that does not know version 3 answers in version 0, with this code first.
    if (code !== 0) return { code, versions, features }
    reader.array(() => {
      versions.set(reader.int16(), { oldest: reader.int16(), newest: reader.int16() })
      reader.tags()
    })
    reader.int32()
    reader.tags({
      2: tagged => {
        tagged.array(() => {
          features.set(tagged.string()!, tagged.int16())
          tagged.int16()
          tagged.tags()
        })
      },
    })
    return { code, versions, features }
  },
}

/*
  Request  1: mechanism: string (int16 length)
  Response 1: error_code: int16, mechanisms: [string (int16 length)] (int32 count)
*/
export const saslHandshake: Api<
  { readonly mechanism: string },
  { readonly code: number; readonly mechanisms: readonly string[] }
> = {
  key: 17,
  name: 'SaslHandshake',
  oldest: 1,
  newest: 1,
  flexible: false,
  encode: (writer, { mechanism }) => writer.shortString(mechanism),
  decode(reader) {
    const code = reader.int16()
    const mechanisms = Array.from({ length: reader.int32() }, () => reader.raw(reader.int16()).toString('utf8'))
    return { code, mechanisms }
  },
}

export interface SaslAnswer {
  readonly code: number
  readonly message: string | null
  readonly bytes: Buffer
  /** 0: the login does not end. */
  readonly sessionLifetimeMs: number
}

/*
  Request  2: auth_bytes: bytes
  Response 2: error_code: int16, error_message: string, auth_bytes: bytes, session_lifetime_ms: int64
*/
export const saslAuthenticate: Api<{ readonly bytes: Buffer }, SaslAnswer> = {
  key: 36,
  name: 'SaslAuthenticate',
  oldest: 2,
  newest: 2,
  encode: (writer, { bytes }) => writer.byteArray(bytes).noTags(),
  decode(reader) {
    const answer = {
      code: reader.int16(),
      message: reader.string(),
      bytes: reader.raw(reader.unsignedVarint() - 1),
      sessionLifetimeMs: Number(reader.int64()),
    }
    reader.tags()
    return answer
  },
}

export interface Metadata {
  /** The broker that takes requests of administrators; with KRaft any does. */
  readonly controllerId: number
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly topics: readonly {
    readonly code: number
    readonly name: string
    readonly partitions: readonly { readonly code: number; readonly partition: number; readonly leader: number }[]
  }[]
}

/*
  Request  9–12: topics: [topic_id: uuid (≥ 10), name: string], allow_auto_topic_creation: boolean,
                 include_cluster_authorized_operations: boolean (≤ 10), include_topic_authorized_operations: boolean
  Response 9–12: throttle_time_ms: int32, brokers: [node_id: int32, host: string, port: int32, rack: string], cluster_id: string,
                 controller_id: int32, topics: [error_code: int16, name: string, topic_id: uuid (≥ 10), is_internal: boolean,
                 partitions: [error_code: int16, partition_index: int32, leader_id: int32, leader_epoch: int32, replica_nodes: [int32],
                 isr_nodes: [int32], offline_replicas: [int32]], topic_authorized_operations: int32],
                 cluster_authorized_operations: int32 (≤ 10)
*/
export const metadata: Api<{ readonly topics: readonly string[] }, Metadata> = {
  key: 3,
  name: 'Metadata',
  oldest: 9,
  newest: 12,
  encode(writer, { topics }, version) {
    writer.array(topics, topic => {
      if (version >= 10) writer.uuid(zeroUuid)
      writer.string(topic).noTags()
    })
    // A topic that came into being by a misspelt name would swallow records.
    writer.boolean(false)
    if (version <= 10) writer.boolean(false)
    writer.boolean(false).noTags()
  },
  decode(reader, version) {
    reader.int32()
    const brokers = reader.array(() => {
      const broker = { id: reader.int32(), host: reader.string()!, port: reader.int32() }
      reader.string()
      reader.tags()
      return broker
    })
    reader.string()
    const controllerId = reader.int32()
    const topics = reader.array(() => {
      const code = reader.int16()
      const name = reader.string() ?? ''
      if (version >= 10) reader.uuid()
      reader.boolean()
      const partitions = reader.array(() => {
        const partition = { code: reader.int16(), partition: reader.int32(), leader: reader.int32() }
        reader.int32()
        for (let list = 0; list < 3; list++) reader.array(() => reader.int32())
        reader.tags()
        return partition
      })
      reader.int32()
      reader.tags()
      return { code, name, partitions }
    })
    return { controllerId, brokers, topics }
  },
}
const zeroUuid = new Uint8Array(16)

export interface Coordinator {
  readonly code: number
  readonly host: string
  readonly port: number
}

/*
  Request  3: key: string, key_type: int8                   4: key_type: int8, coordinator_keys: [string]
  Response 3: throttle_time_ms: int32, error_code: int16, error_message: string, node_id: int32, host: string, port: int32
           4: throttle_time_ms: int32, coordinators: [key: string, node_id: int32, host: string, port: int32, error_code: int16,
              error_message: string]
*/
export const findCoordinator: Api<{ readonly kind: 'group' | 'transaction'; readonly key: string }, Coordinator> = {
  key: 10,
  name: 'FindCoordinator',
  oldest: 3,
  newest: 4,
  encode(writer, { kind, key }, version) {
    const keyType = kind === 'group' ? 0 : 1
    if (version === 3) writer.string(key).int8(keyType).noTags()
    else
      writer
        .int8(keyType)
        .array([key], one => writer.string(one))
        .noTags()
  },
  decode(reader, version) {
    reader.int32()
    if (version === 3) {
      const code = reader.int16()
      reader.string()
      reader.int32()
      const found = { code, host: reader.string()!, port: reader.int32() }
      reader.tags()
      return found
    }
    const all = reader.array(() => {
      reader.string()
      reader.int32()
      const host = reader.string()!
      const port = reader.int32()
      const code = reader.int16()
      reader.string()
      reader.tags()
      return { code, host, port }
    })
    reader.tags()
    return all[0]!
  },
}

/*
  Request  3–4: transactional_id: string, transaction_timeout_ms: int32, producer_id: int64, producer_epoch: int16
  Response 3–4: throttle_time_ms: int32, error_code: int16, producer_id: int64, producer_epoch: int16
*/
export const initProducerId: Api<
  { readonly transactionalId: string | null; readonly transactionTimeoutMs: number },
  { readonly code: number; readonly producerId: bigint; readonly epoch: number }
> = {
  key: 22,
  name: 'InitProducerId',
  oldest: 3,
  newest: 4,
  // Always −1/−1, which fences. With an own id and epoch a fenced zombie would abort the transaction of the one that fenced it.
  encode: (writer, { transactionalId, transactionTimeoutMs }) =>
    writer.string(transactionalId).int32(transactionTimeoutMs).int64(-1n).int16(-1).noTags(),
  decode(reader) {
    reader.int32()
    const answer = { code: reader.int16(), producerId: reader.int64(), epoch: reader.int16() }
    reader.tags()
    return answer
  },
}

/*
  Request  3: transactional_id: string, producer_id: int64, producer_epoch: int16, topics: [name: string, partitions: [int32]]
  Response 3: throttle_time_ms: int32, results: [name: string, results: [partition_index: int32, error_code: int16]]
  From 4 on it is a message between brokers and needs CLUSTER_ACTION.
*/
export const addPartitionsToTxn: Api<
  { readonly owner: Owner; readonly partitions: readonly TopicPartition[] },
  readonly PartitionError[]
> = {
  key: 24,
  name: 'AddPartitionsToTxn',
  oldest: 3,
  newest: 3,
  encode(writer, { owner, partitions }) {
    writeOwner(writer, owner)
    writer.array(byTopic(partitions), ([topic, own]) => {
      writer
        .string(topic)
        .array(own, one => writer.int32(one.partition))
        .noTags()
    })
    writer.noTags()
  },
  decode(reader) {
    reader.int32()
    return readPartitionErrors(reader)
  },
}

/*
  Request  3: transactional_id: string, producer_id: int64, producer_epoch: int16, group_id: string
  Response 3: throttle_time_ms: int32, error_code: int16
*/
export const addOffsetsToTxn: Api<{ readonly owner: Owner; readonly group: string }, { readonly code: number }> = {
  key: 25,
  name: 'AddOffsetsToTxn',
  oldest: 3,
  newest: 3,
  encode(writer, { owner, group }) {
    writeOwner(writer, owner)
    writer.string(group).noTags()
  },
  decode(reader) {
    reader.int32()
    const code = reader.int16()
    reader.tags()
    return { code }
  },
}

/*
  Request  3–5: transactional_id: string, group_id: string, producer_id: int64, producer_epoch: int16, generation_id: int32,
                member_id: string, group_instance_id: string, topics: [name: string, partitions: [partition_index: int32,
                committed_offset: int64, committed_leader_epoch: int32, committed_metadata: string]]
  Response 3–5: throttle_time_ms: int32, topics: [name: string, partitions: [partition_index: int32, error_code: int16]]
  Version 5 adds the group to the transaction by itself (TV2).
*/
export const txnOffsetCommit: Api<
  {
    readonly owner: Owner
    readonly group: string
    readonly partition: TopicPartition
    readonly nextOffset: bigint
    /** Stands beside the offset, up to 4,096 bytes. */
    readonly note?: string | undefined
  },
  readonly PartitionError[]
> = {
  key: 28,
  name: 'TxnOffsetCommit',
  oldest: 3,
  newest: 5,
  encode(writer, { owner, group, partition, nextOffset, note = null }) {
    writer.string(owner.transactionalId).string(group).int64(owner.producerId).int16(owner.epoch)
    // Nobody has joined this group: generation −1, member "".
    writer.int32(-1).string('').string(null)
    writer.array([partition], one => {
      writer.string(one.topic)
      writer.array([one], () => writer.int32(one.partition).int64(nextOffset).int32(-1).string(note).noTags())
      writer.noTags()
    })
    writer.noTags()
  },
  decode(reader) {
    reader.int32()
    return readPartitionErrors(reader)
  },
}

/*
  Request  3–5: transactional_id: string, producer_id: int64, producer_epoch: int16, committed: boolean
  Response 3–5: throttle_time_ms: int32, error_code: int16, producer_id: int64 (5), producer_epoch: int16 (5)
  Version 5 gives a new epoch with every answer (TV2); after 32,767 of them a new producer id.
*/
export const endTxn: Api<
  { readonly owner: Owner; readonly commit: boolean },
  { readonly code: number; readonly next?: { readonly producerId: bigint; readonly epoch: number } }
> = {
  key: 26,
  name: 'EndTxn',
  oldest: 3,
  newest: 5,
  encode(writer, { owner, commit }) {
    writeOwner(writer, owner)
    writer.boolean(commit).noTags()
  },
  decode(reader, version) {
    reader.int32()
    const code = reader.int16()
    const answer = version >= 5 ? { code, next: { producerId: reader.int64(), epoch: reader.int16() } } : { code }
    reader.tags()
    return answer
  },
}

export interface EncodedBatch extends TopicPartition {
  readonly bytes: Buffer
}

/*
  Request  9–12: transactional_id: string, acks: int16, timeout_ms: int32, topic_data: [name: string, partition_data: [index: int32,
                 records: bytes]]
  Response 9–12: responses: [name: string, partition_responses: [index: int32, error_code: int16, base_offset: int64,
                 log_append_time_ms: int64, log_start_offset: int64, record_errors: [batch_index: int32, message: string],
                 error_message: string]], throttle_time_ms: int32
  Version 12 adds the partitions to the transaction by itself (TV2).
*/
export const produce: Api<
  { readonly transactionalId: string | null; readonly timeoutMs: number; readonly batches: readonly EncodedBatch[] },
  readonly PartitionError[]
> = {
  key: 0,
  name: 'Produce',
  oldest: 9,
  newest: 12,
  encode(writer, { transactionalId, timeoutMs, batches }) {
    const allReplicas = -1
    writer.string(transactionalId).int16(allReplicas).int32(timeoutMs)
    writer.array(byTopic(batches), ([topic, own]) => {
      writer.string(topic)
      writer.array(own, batch => writer.int32(batch.partition).byteArray(batch.bytes).noTags())
      writer.noTags()
    })
    writer.noTags()
  },
  decode(reader) {
    const errors: PartitionError[] = []
    reader.array(() => {
      const topic = reader.string()!
      reader.array(() => {
        errors.push({ topic, partition: reader.int32(), code: reader.int16() })
        for (let field = 0; field < 3; field++) reader.int64()
        reader.array(() => {
          reader.int32()
          reader.string()
          reader.tags()
        })
        reader.string()
        reader.tags()
      })
      reader.tags()
    })
    return errors
  },
}

export interface CommittedOffset extends PartitionError {
  /** −1: none. */
  readonly offset: bigint
  /** What was committed with it; empty: nothing. */
  readonly note: string
}

/*
  Request  8: groups: [group_id: string, topics: [name: string, partition_indexes: [int32]]], require_stable: boolean
  Response 8: throttle_time_ms: int32, groups: [group_id: string, topics: [name: string, partitions: [partition_index: int32,
              committed_offset: int64, committed_leader_epoch: int32, metadata: string, error_code: int16]], error_code: int16]
*/
export const offsetFetch: Api<
  { readonly group: string; readonly partitions: readonly TopicPartition[] },
  { readonly code: number; readonly offsets: readonly CommittedOffset[] }
> = {
  key: 9,
  name: 'OffsetFetch',
  oldest: 8,
  newest: 8,
  encode(writer, { group, partitions }) {
    writer.array([group], () => {
      writer.string(group)
      writer.array(byTopic(partitions), ([topic, own]) => {
        writer
          .string(topic)
          .array(own, one => writer.int32(one.partition))
          .noTags()
      })
      writer.noTags()
    })
    // require_stable: without it the coordinator may hide a commit whose marker it still applies, and we would emit twice.
    writer.boolean(true).noTags()
  },
  decode(reader) {
    reader.int32()
    const groups = reader.array(() => {
      reader.string()
      const offsets: CommittedOffset[] = []
      reader.array(() => {
        const topic = reader.string()!
        reader.array(() => {
          const partition = reader.int32()
          const offset = reader.int64()
          reader.int32()
          const note = reader.string() ?? ''
          offsets.push({ topic, partition, offset, note, code: reader.int16() })
          reader.tags()
        })
        reader.tags()
      })
      const code = reader.int16()
      reader.tags()
      return { code, offsets }
    })
    return groups[0]!
  },
}

/*
  Request  6–7: replica_id: int32, isolation_level: int8, topics: [name: string, partitions: [partition_index: int32,
                current_leader_epoch: int32, timestamp: int64]]
  Response 6–7: throttle_time_ms: int32, topics: [name: string, partitions: [partition_index: int32, error_code: int16,
                timestamp: int64, offset: int64, leader_epoch: int32]]
*/
export const listOffsets: Api<
  TopicPartition & { readonly at?: 'start' | 'end' },
  { readonly code: number; readonly offset: bigint }
> = {
  key: 2,
  name: 'ListOffsets',
  oldest: 6,
  newest: 7,
  encode(writer, { topic, partition, at }) {
    const timestamp = at === 'start' ? -2n : -1n
    writer.int32(-1).int8(0)
    writer.array([topic], () => {
      writer.string(topic)
      writer.array([partition], () => writer.int32(partition).int32(-1).int64(timestamp).noTags())
      writer.noTags()
    })
    writer.noTags()
  },
  decode(reader) {
    reader.int32()
    const topics = reader.array(() => {
      reader.string()
      const partitions = reader.array(() => {
        reader.int32()
        const code = reader.int16()
        reader.int64()
        const offset = reader.int64()
        reader.int32()
        reader.tags()
        return { code, offset }
      })
      reader.tags()
      return partitions
    })
    return topics[0]![0]!
  },
}

/*
  Request  12: replica_id: int32, max_wait_ms: int32, min_bytes: int32, max_bytes: int32, isolation_level: int8, session_id: int32,
               session_epoch: int32, topics: [topic: string, partitions: [partition: int32, current_leader_epoch: int32, fetch_offset: int64,
               last_fetched_epoch: int32, log_start_offset: int64, partition_max_bytes: int32]], forgotten_topics_data: [], rack_id: string
  Response 12: throttle_time_ms: int32, error_code: int16, session_id: int32, responses: [topic: string, partitions: [partition_index: int32,
               error_code: int16, high_watermark: int64, last_stable_offset: int64, log_start_offset: int64,
               aborted_transactions: [producer_id: int64, first_offset: int64], preferred_read_replica: int32, records: bytes]]
  The last version that names topics by their names. All is read, also what is not committed: the markers in the log tell.
*/
export const fetchRecords: Api<
  TopicPartition & { readonly offset: bigint; readonly waitMs: number; readonly maxBytes: number },
  { readonly code: number; readonly batches: Buffer }
> = {
  key: 1,
  name: 'Fetch',
  oldest: 12,
  newest: 12,
  encode(writer, { topic, partition, offset, waitMs, maxBytes }) {
    const noSession = -1
    writer.int32(-1).int32(waitMs).int32(1).int32(maxBytes).int8(0).int32(0).int32(noSession)
    writer.array([topic], () => {
      writer.string(topic)
      writer.array([partition], () =>
        writer.int32(partition).int32(-1).int64(offset).int32(-1).int64(-1n).int32(maxBytes).noTags(),
      )
      writer.noTags()
    })
    writer
      .array([], () => 0)
      .string('')
      .noTags()
  },
  decode(reader) {
    reader.int32()
    const code = reader.int16()
    reader.int32()
    const topics = reader.array(() => {
      reader.string()
      const partitions = reader.array(() => {
        reader.int32()
        const own = reader.int16()
        for (let field = 0; field < 3; field++) reader.int64()
        reader.array(() => {
          reader.int64()
          reader.int64()
          reader.tags()
        })
        reader.int32()
        const batches = reader.raw(Math.max(0, reader.unsignedVarint() - 1))
        reader.tags()
        return { code: own, batches }
      })
      reader.tags()
      return partitions
    })
    reader.tags()
    return code === 0 ? (topics[0]?.[0] ?? { code, batches: Buffer.alloc(0) }) : { code, batches: Buffer.alloc(0) }
  },
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
}

/*
  Request  5–7: topics: [name: string, num_partitions: int32, replication_factor: int16, assignments: [], configs: []], timeout_ms: int32,
                validate_only: boolean
  Response 5–7: throttle_time_ms: int32, topics: [name: string, topic_id: uuid (7), error_code: int16, error_message: string, …]
*/
export const createTopics: Api<NewTopic & { readonly timeoutMs: number }, { readonly code: number; readonly message: string }> = {
  key: 19,
  name: 'CreateTopics',
  oldest: 5,
  newest: 7,
  encode(writer, { name, partitions, timeoutMs }) {
    const asTheClusterHasIt = -1
    writer.array([name], () =>
      writer
        .string(name)
        .int32(partitions)
        .int16(asTheClusterHasIt)
        .array([], () => 0)
        .array([], () => 0)
        .noTags(),
    )
    writer.int32(timeoutMs).boolean(false).noTags()
  },
  decode(reader, version) {
    reader.int32()
    // One topic was asked for; what follows its error is not needed.
    reader.unsignedVarint()
    reader.string()
    if (version >= 7) reader.uuid()
    return { code: reader.int16(), message: reader.string() ?? '' }
  },
}

/*
  Request  0: group_id: string, topics: [name: string, partitions: [int32]], in the encoding before the flexible one
  Response 0: error_code: int16, throttle_time_ms: int32, topics: [name: string, partitions: [partition_index: int32, error_code: int16]]
*/
export const offsetDelete: Api<
  { readonly group: string; readonly topic: string; readonly partitions: readonly number[] },
  { readonly codes: readonly number[] }
> = {
  key: 47,
  name: 'OffsetDelete',
  oldest: 0,
  newest: 0,
  flexible: false,
  encode(writer, { group, topic, partitions }) {
    writer.shortString(group).int32(1).shortString(topic).int32(partitions.length)
    for (const partition of partitions) writer.int32(partition)
  },
  decode(reader) {
    const codes = [reader.int16()]
    reader.int32()
    for (let topics = reader.int32(); topics > 0; topics--) {
      reader.raw(reader.int16())
      for (let partitions = reader.int32(); partitions > 0; partitions--) {
        reader.int32()
        codes.push(reader.int16())
      }
    }
    return { codes }
  },
}

function writeOwner(writer: Writer, owner: Owner): void {
  writer.string(owner.transactionalId).int64(owner.producerId).int16(owner.epoch)
}

function readPartitionErrors(reader: Reader): readonly PartitionError[] {
  const errors: PartitionError[] = []
  reader.array(() => {
    const topic = reader.string()!
    reader.array(() => {
      errors.push({ topic, partition: reader.int32(), code: reader.int16() })
      reader.tags()
    })
    reader.tags()
  })
  return errors
}

function byTopic<Item extends TopicPartition>(items: readonly Item[]): readonly (readonly [string, readonly Item[]])[] {
  const topics = new Map<string, Item[]>()
  for (const item of items) {
    const own = topics.get(item.topic)
    if (own === undefined) topics.set(item.topic, [item])
    else own.push(item)
  }
  return [...topics]
}
