// A reference case without a broker: its records become Lambda events, the embedded build decides them, its output file is compared.
import { existsSync, readFileSync } from 'node:fs'
import { Container } from '../../lib/emulator/container.ts'
import { buildEvent } from '../../lib/emulator/event.ts'
import type { ActualLine } from './compare.ts'
import { canonical, parseExact } from './exact-json.ts'
import type { CaseOptions } from './options.ts'
import { parseCoordinates, type ReferenceCase } from './reference.ts'
import type { RunFolder } from './runner.ts'

export async function runEmbedded(
  reference: ReferenceCase,
  options: CaseOptions,
  folder: RunFolder,
): Promise<readonly ActualLine[]> {
  const container = new Container({
    handlerFile: await folder.bundle('embedded'),
    name: reference.name,
    environment: { SLUICE_LOOKUPS: reference.lookupsFile, SLUICE_OUTPUT: folder.outputFile },
    memoryMb: 512,
    timeoutMs: 60_000,
    log: folder.log,
  })
  try {
    const batchSize = options.batch === 'all' ? reference.records.length : options.batch
    for (let at = 0; at < reference.records.length; at += batchSize) {
      const records = reference.records.slice(at, at + batchSize)
      const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
      for (let times = options.duplicate ? 2 : 1; times > 0; times--) {
        const result = await container.invoke(event)
        if (result.status !== 'success') throw new Error(`The function did not succeed: ${JSON.stringify(result)}`)
      }
    }
  } finally {
    await container.kill()
  }
  return existsSync(folder.outputFile)
    ? readFileSync(folder.outputFile, 'utf8').trimEnd().split('\n').filter(Boolean).map(actualLine)
    : []
}

/** A line as `sluice invoke --format json` prints it. */
export function actualLine(line: string): ActualLine {
  const { topic, key, from, deadLetter } = JSON.parse(line) as {
    topic: string
    key: string | null
    from: string
    deadLetter?: { readonly id: string }
  }
  const coordinates = parseCoordinates(from)
  return {
    topic: deadLetter === undefined ? topic : 'dead-letter',
    key,
    value: deadLetter?.id ?? canonical((parseExact(line) as { value: unknown }).value),
    from: coordinates,
    // Everything a source partition gives is in order, over all topics.
    sequence: `${coordinates.topic}-${coordinates.partition}`,
  }
}
