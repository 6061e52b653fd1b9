// What environment.yml costs while nothing happens, by its parameters: `node infra/demo/cost.ts`. Traffic, storage beyond the first gigabytes and
// DynamoDB's requests come on top: cents, in a demo.
import { hoursPerMonth, prices } from '../../lib/cli/prices.ts'

export interface DemoChoice {
  readonly kafka: 'provisioned' | 'serverless'
  readonly store: 'valkey' | 'upstash' | 'none'
  readonly polling: 'on-demand' | 'provisioned'
}

const zones = 3
const brokers = 3
const brokerGb = 10
/** Of the topics of the samples, three partitions each, where they have been made at MSK Serverless. */
const serverlessPartitions = 108

/** Dollars a month, by part; parts that a choice does not have are left out. */
export function demoCost({ kafka, store, polling }: DemoChoice): ReadonlyMap<string, number> {
  const { msk, elastiCache, network, lambda, secretMonth } = prices
  const parts: readonly (readonly [string, number])[] = [
    kafka === 'provisioned'
      ? ['Kafka, three small brokers', brokers * (msk.smallBrokerHour * hoursPerMonth + brokerGb * msk.storageGbMonth)]
      : ['MSK Serverless', (msk.serverlessHour + serverlessPartitions * msk.serverlessPartitionHour) * hoursPerMonth],
    polling === 'on-demand'
      ? ['endpoints of Lambda and STS', 2 * zones * network.endpointHour * hoursPerMonth]
      : ['a unit of pollers', lambda.pollerUnitHour * hoursPerMonth],
    ['Valkey', store === 'valkey' ? elastiCache.microValkeyHour * hoursPerMonth : 0],
    ['NAT and its address', store === 'upstash' ? (network.natHour + network.addressHour) * hoursPerMonth : 0],
    ['a secret', store === 'upstash' ? secretMonth : 0],
  ]
  return new Map(parts.filter(([, dollars]) => dollars > 0))
}

/** A table of Markdown, as in README.md. */
export function demoCostTable(): string {
  const rows = choices.map(choice => {
    const parts = [...demoCost(choice)]
    const total = parts.reduce((sum, [, dollars]) => sum + dollars, 0)
    const { kafka, store, polling } = choice
    return `| ${kafka} | ${store} | ${polling} | $${total.toFixed(0)} | ${parts.map(([part, dollars]) => `${part} ${dollars.toFixed(0)}`).join(', ')} |`
  })
  return ['| `Kafka` | `Store` | `Polling` | a month | of which |', '| --- | --- | --- | ---: | --- |', ...rows].join('\n')
}

const choices: readonly DemoChoice[] = [
  { kafka: 'provisioned', store: 'valkey', polling: 'on-demand' },
  { kafka: 'provisioned', store: 'upstash', polling: 'on-demand' },
  { kafka: 'provisioned', store: 'valkey', polling: 'provisioned' },
  { kafka: 'serverless', store: 'valkey', polling: 'on-demand' },
]

if (import.meta.main) process.stdout.write(`${demoCostTable()}\n`)
