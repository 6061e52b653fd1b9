// `npm run simulate`: many seeds, or one again with everything that happened. Exit code 0: all sound, 1: some were not, 2: wrong use.
import { readCommandLine } from '../command-line.ts'
import { isSound } from './checkers.ts'
import { type SceneName, sceneNames, simulate } from './simulate.ts'

const usage = `npm run simulate -- [--seeds N] [--from S]   N seeds (default 5000), beginning with S (default 1)
npm run simulate -- --seed S                 one seed again, with each call and what became of it
  --scene letters|state|moves                outputs alone; records that leave something for later ones; for those of other
                                             partitions (default: each)

Example: npm run simulate -- --seeds 200 --scene state`

// Functions that were killed in a simulation never end; nothing waits for them.
process.exit(await main())

async function main(): Promise<number> {
  let numbers: { seeds: number; from: number; seed: number | undefined }
  let scenes: readonly SceneName[] = sceneNames
  try {
    const { values } = readCommandLine(
      { options: { seeds: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string' }, scene: { type: 'string' } } },
      usage,
    )
    if (values.scene !== undefined) {
      scenes = sceneNames.filter(name => name === values.scene)
      if (scenes.length === 0) throw new Error(`There is no scene "${values.scene}".`)
    }
    numbers = {
      seeds: wholeNumber('seeds', values.seeds ?? '5000'),
      from: wholeNumber('from', values.from ?? '1'),
      seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  return numbers.seed === undefined ? runMany(numbers, scenes) : runOne(numbers.seed, scenes)
}

async function runMany({ seeds, from }: { seeds: number; from: number }, scenes: readonly SceneName[]): Promise<number> {
  const totals = { records: 0, faults: 0, lost: 0, duplicated: 0, reordered: 0, uncommittedVisible: 0, wrong: 0, wrongState: 0 }
  let failingCount = 0
  for (let seed = from; seed < from + seeds; seed++) {
    for (const scene of scenes) {
      const { verdict, recordCount, faults } = await simulate({ seed, scene })
      totals.records += recordCount
      for (const times of faults.values()) totals.faults += times
      for (const [kind, ids] of Object.entries(verdict)) totals[kind as keyof typeof verdict] += ids.length
      if (isSound(verdict)) continue
      failingCount++
      console.log(`seed ${seed} is not sound; see it again: npm run simulate -- --seed ${seed} --scene ${scene}`)
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${seed - from + 1} of ${seeds} seeds`)
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const { records, faults, lost, duplicated, reordered, uncommittedVisible, wrong, wrongState } = totals
  console.log(
    `seeds ${seeds}, faults ${faults}, records ${records}, lost ${lost}, duplicated ${duplicated}, reordered ${reordered}, uncommitted visible ${uncommittedVisible}, wrong ${wrong}, wrong state ${wrongState}`,
  )
  return failingCount === 0 ? 0 : 1
}

async function runOne(seed: number, scenes: readonly SceneName[]): Promise<number> {
  let sound = true
  for (const scene of scenes) {
    const { verdict, trace } = await simulate({ seed, scene })
    for (const line of trace) console.log(line)
    for (const [kind, ids] of Object.entries(verdict))
      console.log(`${scene}, ${kind}: ${ids.length === 0 ? 'none' : ids.join(', ')}`)
    sound &&= isSound(verdict)
  }
  return sound ? 0 : 1
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${option} needs a whole number, not "${text}".`)
  return Number(text)
}
