// What tests and commands need of the world: the services that the environment names, and for the rest our own on free ports.
import { type LocalKafka, startKafka } from './kafka.ts'
import { type LocalRedis, startRedis } from './redis.ts'

export interface Services {
  /** Bootstrap servers, if asked for. */
  readonly kafka: string | undefined
  /** `redis://HOST:PORT`, if asked for. */
  readonly redis: string | undefined
  /** Stops what was started here. It stops as well when this process ends in any way. */
  stop(): Promise<void>
}

export async function startServices(wanted: { readonly kafka?: boolean; readonly redis?: boolean }): Promise<Services> {
  const { SLUICE_KAFKA, SLUICE_REDIS } = process.env
  const started: { stop(): Promise<void> }[] = []
  async function keep<T extends LocalKafka | LocalRedis>(service: Promise<T>): Promise<T> {
    const one = await service
    started.push(one)
    return one
  }
  async function stop(): Promise<void> {
    await Promise.all(started.splice(0).map(service => service.stop()))
  }
  const [kafka, redis] = await Promise.allSettled([
    wanted.kafka ? SLUICE_KAFKA || keep(startKafka()).then(one => one.bootstrapServers) : undefined,
    wanted.redis ? SLUICE_REDIS || keep(startRedis()).then(one => one.url) : undefined,
  ])
  for (const outcome of [kafka, redis]) {
    if (outcome.status === 'fulfilled') continue
    await stop()
    throw outcome.reason
  }
  return { kafka: (kafka as PromiseFulfilledResult<string>).value, redis: (redis as PromiseFulfilledResult<string>).value, stop }
}
