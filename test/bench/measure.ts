// How everything here is measured: results compared first, then all contenders in turn, A B C A B C …, so that a machine whose speed drifts
// is fair to all. Quoted is the median of CPU time per unit of work; the ratio is of medians.
import assert from 'node:assert'
import { inspect } from 'node:util'

export interface Contender {
  readonly name: string
  /** Makes what one run needs, outside of its time. */
  readonly prepare?: () => unknown
  /** One run. What it gives is kept, so that the engine can fold nothing away. */
  readonly run: (prepared: unknown) => unknown | Promise<unknown>
  /** How much of the work one run does: slow contenders do less, quick ones repeat, so that the clock has something to see. Default 1. */
  readonly work?: number
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
  /** From milliseconds of CPU per unit of work to the figure's unit. */
  readonly value: (cpuMs: number) => number
  readonly runs?: number
  /** Runs before the first that counts: V8 compiles what it has seen often, in the background. A function serves thousands of batches. */
  readonly warmUps?: number
}

let sink: unknown

/** Medians of CPU time (user and system, all threads); the last contender is the baseline. */
export async function measure(
  contenders: readonly Contender[],
  { unit, value, runs = 31, warmUps = 80 }: MeasureOptions,
): Promise<readonly Figure[]> {
  const times = contenders.map((): number[] => [])
  for (let n = -warmUps; n < runs; n++) {
    for (const [c, { prepare, run, work = 1 }] of contenders.entries()) {
      const prepared = prepare?.()
      const before = process.cpuUsage()
      sink = await run(prepared)
      const { user, system } = process.cpuUsage(before)
      if (n >= 0) times[c]!.push((user + system) / 1000 / work)
    }
  }
  if (sink === undefined) throw new Error('a contender gave nothing')
  return figures(
    contenders.map(({ name }, c) => ({ name, value: value(median(times[c]!)) })),
    { unit, runs },
  )
}

/** Figures of what was measured elsewhere; the last is the baseline. */
export function figures(
  measured: readonly { readonly name: string; readonly value: number }[],
  { unit, runs }: { readonly unit: string; readonly runs: number },
): readonly Figure[] {
  const baseline = measured.at(-1)!
  return measured.map(({ name, value }) => ({
    name,
    unit,
    value: rounded(value),
    baseline: baseline.name,
    ratio: rounded(value / baseline.value),
    runs,
    checked: true,
  }))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

const rounded = (value: number): number => Number(value.toPrecision(3))

/** Throws with the first difference alone: results are compared before anything is measured. */
export function assertSame(name: string, found: readonly unknown[], expected: readonly unknown[]): void {
  for (let i = 0; i < Math.max(found.length, expected.length); i++) {
    assert.deepEqual(
      found[i],
      expected[i],
      `${name}: result ${i} of ${expected.length} differs: ${inspect(found[i])} instead of ${inspect(expected[i])}`,
    )
  }
}
