// What `sluice progress` needs beyond the producer: how many partitions a topic has, the topic for progress, and progress forgotten. Not
// for the Lambda: a function never creates or forgets anything.
import type { Deadline, TopicPartition } from '../../runtime/ports.ts'
import { repeat, requestTimeoutMs } from './attempts.ts'
import { BrokerError, Cluster } from './cluster.ts'
import { groupNotFound, meaningOf, nameOf, topicExists } from './codes.ts'
import { createTopics, offsetDelete } from './messages.ts'
import { defaultProgressTopic, type KafkaConfig, progressPartitions, slotGroup } from './producer.ts'
import { parseAddresses } from './socket.ts'

export interface Administration {
  partitionCount(topic: string, deadline: Deadline): Promise<number>
  /** Makes `sluice-progress`, with the replication that the cluster has as default. False: it is there already. */
  createProgressTopic(deadline: Deadline): Promise<boolean>
  /** Removes what is committed for a partition, in both forms. The caller has fenced its owner before. */
  forgetProgress(group: string, partition: TopicPartition, deadline: Deadline): Promise<void>
  close(): Promise<void>
}

export function openAdministration(config: Pick<KafkaConfig, 'bootstrapServers' | 'clientId' | 'security'>): Administration {
  const { bootstrapServers, clientId, security } = config
  const cluster = new Cluster({
    bootstrap: parseAddresses(bootstrapServers),
    clientId,
    connectTimeoutMs: 3000,
    requestTimeoutMs,
    ...security,
  })
  return {
    partitionCount: (topic, deadline) =>
      repeat(deadline, `the partitions of ${topic}`, async timeoutMs => (await cluster.layout(topic, timeoutMs)).leaders.length),
    createProgressTopic: deadline =>
      repeat(deadline, `the topic ${defaultProgressTopic}`, async timeoutMs => {
        const connection = await cluster.controller(timeoutMs)
        const topic = { name: defaultProgressTopic, partitions: progressPartitions }
        const { code, message } = await connection.send(createTopics, { ...topic, timeoutMs }, { timeoutMs })
        if (code === topicExists) return false
        if (code === 0) return true
        if (meaningOf(code) === 'refused')
          throw new Error(`Kafka refused to make the topic ${topic.name}: ${nameOf(code)} ${message}`)
        throw new BrokerError(code, 'CreateTopics', topic.name)
      }),
    async forgetProgress(group, partition, deadline) {
      await forget(group, partition.topic, [partition.partition], deadline)
      const slots = Array.from({ length: progressPartitions }, (_, slot) => slot)
      await forget(slotGroup(group, partition), defaultProgressTopic, slots, deadline)
    },
    close: () => cluster.close(),
  }

  function forget(group: string, topic: string, partitions: readonly number[], deadline: Deadline): Promise<void> {
    return repeat(deadline, `forgetting the progress of ${group}`, async timeoutMs => {
      const connection = await cluster.coordinator('group', group, timeoutMs)
      const { codes } = await connection.send(offsetDelete, { group, topic, partitions }, { timeoutMs })
      // A group that was never written, or a topic that is not there: nothing to forget.
      const failed = codes.find(code => code !== 0 && code !== groupNotFound && meaningOf(code) !== 'unknown-topic')
      if (failed === undefined) return
      if (meaningOf(failed) === 'moved') cluster.forgetCoordinator('group', group)
      throw new BrokerError(failed, 'OffsetDelete', group)
    })
  }
}
