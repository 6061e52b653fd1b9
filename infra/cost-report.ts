// What a function costs, told at each packaging. What takes time, the processor time for its sample events, is measured once for the same bundle;
// what it is multiplied with comes from how the function is set up now.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Scenario } from '../lib/scenario/scenario.ts'

export interface CostOptions {
  readonly code: Uint8Array
  readonly memoryMb: number
  readonly architecture: 'arm64' | 'x86_64'
}

/** Undefined where there is nothing to measure with: a figure is no reason to stop a deploy. */
export async function costReport(
  serviceFolder: string,
  scenario: Scenario,
  { code, memoryMb, architecture }: CostOptions,
): Promise<string | undefined> {
  const { costInShort, measuredCpuMs } = await import('../lib/cli/cost.ts')
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const known = join(serviceFolder, '.sluice', 'load', `${hash}.cpu-ms-per-1000.txt`)
  const noted = existsSync(known) ? Number(readFileSync(known, 'utf8')) : undefined
  const cpuMs = noted ?? (await measuredCpuMs(scenario.name).catch(() => undefined))
  if (cpuMs === undefined) return undefined
  if (noted === undefined) writeFileSync(known, String(cpuMs))
  return costInShort(scenario, cpuMs, { memoryMb, architecture })
}
