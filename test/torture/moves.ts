// Moves the leader of a partition to another broker, as administrators and rebalancers do: the order of its replicas is changed, and the first
// one elected. A partition of __transaction_state or __consumer_offsets takes its coordinator along.
import { Cluster } from '../../lib/connectors/kafka/cluster.ts'
import type { Api, ApiName } from '../../lib/connectors/kafka/messages.ts'
import { addressText, parseAddresses } from '../../lib/connectors/kafka/socket.ts'
import type { Reader } from '../../lib/connectors/kafka/wire.ts'

interface Place {
  readonly topic: string
  readonly partition: number
}

export interface LeaderMoves {
  /** False: it has no leader at the moment, or none but one that may not lead. */
  move(place: Place, random: () => number): Promise<boolean>
  close(): Promise<void>
}

const timeoutMs = 5000

/** Of a cluster whose partitions have replicas on all brokers; broker n (from 1) has the n-th address. */
export function openLeaderMoves(addresses: readonly string[]): LeaderMoves {
  const cluster = new Cluster({
    bootstrap: parseAddresses(addresses.join(',')),
    clientId: 'sluice-torture',
    connectTimeoutMs: 1000,
    requestTimeoutMs: timeoutMs,
  })
  return {
    async move({ topic, partition }, random) {
      cluster.forgetLayout(topic)
      const leader = (await cluster.layout(topic, timeoutMs)).leaders[partition]
      if (leader === undefined) return false
      const leaderId = 1 + addresses.indexOf(addressText(leader))
      const others = addresses.map((_, n) => n + 1).filter(id => id !== leaderId)
      const next = others[Math.floor(random() * others.length)]!
      const replicas = [next, ...others.filter(id => id !== next), leaderId]
      const controller = await cluster.controller(timeoutMs)
      const { codes } = await controller.send(alterPartitionReassignments, { topic, partition, replicas }, { timeoutMs })
      if (codes.some(code => code !== 0)) return false
      const elected = await controller.send(electLeaders, { topic, partition }, { timeoutMs })
      return elected.codes.every(code => code === 0)
    },
    close: () => cluster.close(),
  }
}

interface Codes {
  /** Of the whole, and of each partition. */
  readonly codes: readonly number[]
}

/*
  Request  0: timeout_ms: int32, topics: [name: string, partitions: [partition_index: int32, replicas: [int32]]]
  Response 0: throttle_time_ms: int32, error_code: int16, error_message: string,
              responses: [name: string, partitions: [partition_index: int32, error_code: int16, error_message: string]]
*/
const alterPartitionReassignments: Api<Place & { readonly replicas: readonly number[] }, Codes> = {
  key: 45,
  name: 'AlterPartitionReassignments' as ApiName,
  oldest: 0,
  newest: 0,
  encode: (writer, { topic, partition, replicas }) =>
    writer
      .int32(timeoutMs)
      .array([topic], name =>
        writer
          .string(name)
          .array([partition], index =>
            writer
              .int32(index)
              .array(replicas, id => writer.int32(id))
              .noTags(),
          )
          .noTags(),
      )
      .noTags(),
  decode(reader) {
    reader.int32()
    const code = reader.int16()
    reader.string()
    return { codes: [code, ...partitionCodes(reader)] }
  },
}

/*
  Request  2: election_type: int8 (0: the first replica), topic_partitions: [topic: string, partitions: [int32]], timeout_ms: int32
  Response 2: throttle_time_ms: int32, error_code: int16,
              replica_election_results: [topic: string, partition_result: [partition_id: int32, error_code: int16, error_message: string]]
*/
const electLeaders: Api<Place, Codes> = {
  key: 43,
  name: 'ElectLeaders' as ApiName,
  oldest: 2,
  newest: 2,
  encode: (writer, { topic, partition }) =>
    writer
      .int8(0)
      .array([topic], name =>
        writer
          .string(name)
          .array([partition], index => writer.int32(index))
          .noTags(),
      )
      .int32(timeoutMs)
      .noTags(),
  decode(reader) {
    reader.int32()
    const code = reader.int16()
    return { codes: [code, ...partitionCodes(reader)] }
  },
}

/** The end of both answers: `[topic: string, [partition: int32, error_code: int16, error_message: string]]`. */
function partitionCodes(reader: Reader): readonly number[] {
  const codes: number[] = []
  reader.array(() => {
    reader.string()
    reader.array(() => {
      reader.int32()
      codes.push(reader.int16())
      reader.string()
      reader.tags()
    })
    reader.tags()
  })
  reader.tags()
  return codes
}
