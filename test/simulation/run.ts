// `npm run simulate`: many seeds, or one again with everything that happened. Exit code 0: all sound, 1: some were not, 2: wrong use.
import { parseArgs } from 'node:util'
import { isSound } from './checkers.ts'
import { simulate } from './simulate.ts'

const usage = `npm run simulate -- [--seeds N] [--from S]   N seeds (default 5000), beginning with S (default 1)
npm run simulate -- --seed S                 one seed again, with each call and what became of it`

// Functions that were killed in a simulation never end; nothing waits for them.
process.exit(await main())

async function main(): Promise<number> {
  let numbers: { seeds: number; from: number; seed: number | undefined }
  try {
    const { values } = parseArgs({ options: { seeds: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string' } } })
    numbers = {
      seeds: wholeNumber('seeds', values.seeds ?? '5000'),
      from: wholeNumber('from', values.from ?? '1'),
      seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  return numbers.seed === undefined ? runMany(numbers) : runOne(numbers.seed)
}

async function runMany({ seeds, from }: { seeds: number; from: number }): Promise<number> {
  const totals = { records: 0, faults: 0, lost: 0, duplicated: 0, reordered: 0, uncommittedVisible: 0, wrong: 0 }
  const failing: number[] = []
  for (let seed = from; seed < from + seeds; seed++) {
    const { verdict, recordCount, faults } = await simulate({ seed })
    totals.records += recordCount
    for (const times of faults.values()) totals.faults += times
    for (const [kind, ids] of Object.entries(verdict)) totals[kind as keyof typeof verdict] += ids.length
    if (!isSound(verdict)) {
      failing.push(seed)
      console.log(`seed ${seed} is not sound; see it again: npm run simulate -- --seed ${seed}`)
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${seed - from + 1} of ${seeds} seeds`)
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const { records, faults, lost, duplicated, reordered, uncommittedVisible, wrong } = totals
  console.log(
    `seeds ${seeds}, faults ${faults}, records ${records}, lost ${lost}, duplicated ${duplicated}, reordered ${reordered}, uncommitted visible ${uncommittedVisible}, wrong ${wrong}`,
  )
  return failing.length === 0 ? 0 : 1
}

async function runOne(seed: number): Promise<number> {
  const { verdict, trace } = await simulate({ seed })
  for (const line of trace) console.log(line)
  for (const [kind, ids] of Object.entries(verdict)) console.log(`${kind}: ${ids.length === 0 ? 'none' : ids.join(', ')}`)
  return isSound(verdict) ? 0 : 1
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${option} needs a whole number, not "${text}".`)
  return Number(text)
}
