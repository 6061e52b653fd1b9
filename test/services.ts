// Starts what integration tests need, once per run, and tells where it is: by the environment (test threads copy it) and by `inject`.
import type { TestProject } from 'vitest/node'
import { startServices } from '../infra/local/services.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kafka: string
    redis: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const before = { kafka: process.env['SLUICE_KAFKA'], redis: process.env['SLUICE_REDIS'] }
  const services = await startServices({ kafka: true, redis: true }).catch(error => {
    // Without its cause, which Vitest would print with the whole class path.
    const reason = error instanceof Error ? error.message.slice(0, 500) : String(error)
    throw new Error(
      `Kafka or Redis did not start: ${reason}. They need Java 17 and Maven; SLUICE_KAFKA and SLUICE_REDIS name running ones.`,
    )
  })
  process.env['SLUICE_KAFKA'] = services.kafka
  process.env['SLUICE_REDIS'] = services.redis
  project.provide('kafka', services.kafka!)
  project.provide('redis', services.redis!)
  return async () => {
    restore('SLUICE_KAFKA', before.kafka)
    restore('SLUICE_REDIS', before.redis)
    await services.stop()
  }
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
