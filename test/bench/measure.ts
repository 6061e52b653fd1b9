// How everything here is measured: results compared first, then all contenders in turn, A B C A B C …, so that a machine whose speed drifts
// is fair to all. Quoted is the median; the ratio is of medians.

export interface Contender {
  readonly name: string
  /** One run over the whole workload. What it gives is kept, so that the engine can fold nothing away. */
  readonly run: () => unknown | Promise<unknown>
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** Name of the contender that it is compared with, in the same run. */
  readonly baseline: string
  /** value / the baseline's value. */
  readonly ratio: number
  readonly runs: number
  readonly checked: true
}

export interface MeasureOptions {
  readonly unit: string
  /** From milliseconds of CPU per run to the unit. */
  readonly perRun: (cpuMs: number) => number
  readonly runs?: number
}

let sink: unknown

/** Medians of CPU time (user and system) per run; the last contender is the baseline. */
export async function measure(
  contenders: readonly Contender[],
  { unit, perRun, runs = 21 }: MeasureOptions,
): Promise<readonly Figure[]> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let n = -3; n < runs; n++) {
    for (const { name, run } of contenders) {
      const before = process.cpuUsage()
      sink = await run()
      const { user, system } = process.cpuUsage(before)
      if (n >= 0) times.get(name)!.push((user + system) / 1000)
    }
  }
  if (sink === undefined) throw new Error('a contender gave nothing')
  const value = (name: string) => perRun(median(times.get(name)!))
  const baseline = contenders.at(-1)!.name
  return contenders.map(({ name }) => ({
    name,
    unit,
    value: rounded(value(name)),
    baseline,
    ratio: rounded(value(name) / value(baseline)),
    runs,
    checked: true,
  }))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

const rounded = (value: number): number => Number(value.toPrecision(3))
