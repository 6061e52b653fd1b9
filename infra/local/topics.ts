// Topics for tests and local runs, with the settings that keep old sample data: brokers otherwise drop records by their own time stamps.
import { Admin } from '@platformatic/kafka'

export interface TopicOptions {
  readonly name: string
  readonly partitions?: number
  readonly settings?: Readonly<Record<string, string>>
}

/** Topics that exist already stay as they are. */
export async function createTopics(bootstrapServers: string, topics: readonly TopicOptions[]): Promise<void> {
  const admin = new Admin({ clientId: 'sluice-local', bootstrapBrokers: bootstrapServers.split(',') })
  try {
    const present = new Set(await admin.listTopics())
    for (const topic of topics) {
      if (present.has(topic.name)) continue
      const settings = { 'retention.ms': '-1', 'message.timestamp.after.max.ms': '9223372036854775807', ...topic.settings }
      await admin.createTopics({
        topics: [topic.name],
        partitions: topic.partitions ?? 1,
        // The cluster's default.
        replicas: -1,
        configs: Object.entries(settings).map(([name, value]) => ({ name, value })),
      })
    }
  } finally {
    await admin.close()
  }
}
