// A function that forwards each record and keeps no progress: correct as long as nothing goes wrong. The runner of the reference cases must
// find it out as soon as something does.
import { Producer } from '@platformatic/kafka'

const { SLUICE_KAFKA, SLUICE_GENERATION, OUTPUT_TOPIC } = process.env
const producer = new Producer({ clientId: 'at-least-once', bootstrapBrokers: SLUICE_KAFKA.split(',') })

export const handler = async event => {
  const messages = Object.values(event.records).flatMap(records =>
    records.map(({ topic, partition, offset, key, value }) => ({
      topic: OUTPUT_TOPIC,
      key: Buffer.from(key, 'base64'),
      value: Buffer.from(value, 'base64'),
      headers: new Map([
        [
          Buffer.from('sluice-idempotency-key'),
          Buffer.from(`at-least-once.${SLUICE_GENERATION}/${topic}/${partition}/${offset}/forward/0`),
        ],
      ]),
    })),
  )
  await producer.send({ acks: -1, messages })
  return { batchItemFailures: [] }
}
