// The command line of `npm run cases`.
import { parseArgs } from 'node:util'
import { nearest } from '../../lib/scenario/suggestion.ts'

export interface CaseOptions {
  readonly broker: 'kafka' | 'none'
  readonly store: 'redis' | 'memory'
  readonly batch: 1 | 7 | 'all'
  readonly kill: boolean
  readonly zombie: boolean
  readonly duplicate: boolean
  /** Deliveries with crashes as the case's replay.jsonl has them. */
  readonly replay: boolean
  /** Decides which container gets a batch and which partitions share one. */
  readonly seed: number
}

export interface CommandLine extends CaseOptions {
  readonly folder: string
  readonly cases: readonly string[]
}

/** The command was used wrongly; the message says how it is used. */
export class WrongUse extends Error {}

export const usage = `npm run cases -- FOLDER [CASE…] [options]

Runs reference cases through functions/CASE.yml, built for real, and compares with FOLDER/CASE/expected.jsonl.

  --broker kafka|none    a real broker and the local mapping, or events straight to the function (default none)
  --store redis|memory   where look-ups come from (default redis with a broker, else memory)
  --batch 1|7|all        records per batch (default all)
  --kill                 SIGKILL the function between every two calls of its commit, and to its store of state, each in turn
  --zombie               a second process gets the same batch at the same time
  --duplicate            every batch twice
  --replay               deliver as replay.jsonl says, its batches and crashes (scenarios with state)
  --seed N               repeats the choices of an earlier run (default 1)

Example: npm run cases -- test/cases/data telecom-campaign --broker kafka --batch 7 --kill`

const flags = {
  broker: { type: 'string' },
  store: { type: 'string' },
  batch: { type: 'string', default: 'all' },
  kill: { type: 'boolean', default: false },
  zombie: { type: 'boolean', default: false },
  duplicate: { type: 'boolean', default: false },
  replay: { type: 'boolean', default: false },
  seed: { type: 'string', default: '1' },
  help: { type: 'boolean', default: false },
} as const

/** Undefined: help was asked for. */
export function readCommandLine(words: readonly string[]): CommandLine | undefined {
  for (const word of words) {
    const name = /^--([^=]+)/.exec(word)?.[1]
    if (name === undefined || Object.hasOwn(flags, name)) continue
    const meant = nearest(name, Object.keys(flags))
    throw new WrongUse(`There is no --${name}.${meant === undefined ? '' : ` Did you mean --${meant}?`}`)
  }
  const { values, positionals } = parse(words)
  if (values.help) return undefined
  const broker = oneOf('broker', values.broker ?? 'none', ['kafka', 'none'])
  const store = oneOf('store', values.store ?? (broker === 'kafka' ? 'redis' : 'memory'), ['redis', 'memory'])
  const batch = oneOf('batch', values.batch, ['1', '7', 'all'])
  const { kill, zombie, duplicate, replay } = values
  const [folder, ...cases] = positionals
  if (folder === undefined) throw new WrongUse('Name the folder with the cases.')
  if (!/^\d+$/.test(values.seed)) throw new WrongUse(`--seed is a number, not "${values.seed}".`)
  if (replay && (kill || zombie || duplicate))
    throw new WrongUse('--replay delivers as replay.jsonl says: leave out --kill, --zombie and --duplicate.')
  if ([kill, zombie, duplicate].filter(Boolean).length > 1)
    throw new WrongUse('Use one of --kill, --zombie and --duplicate at a time.')
  if (broker === 'none' && (kill || zombie)) {
    throw new WrongUse(`--${kill ? 'kill' : 'zombie'} needs --broker kafka: without a broker there is no commit to interrupt.`)
  }
  if (broker === 'kafka' && store === 'memory')
    throw new WrongUse('--broker kafka runs the deployed build, which looks up in Redis: use --store redis.')
  if (broker === 'none' && store === 'redis')
    throw new WrongUse('--broker none runs the embedded build, which looks up in memory: use --store memory.')
  return {
    folder,
    cases,
    broker,
    store,
    batch: batch === 'all' ? 'all' : batch === '7' ? 7 : 1,
    kill,
    zombie,
    duplicate,
    replay,
    seed: Number(values.seed),
  }
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: flags, allowPositionals: true })
  } catch (error) {
    throw new WrongUse((error as Error).message)
  }
}

function oneOf<const Choice extends string>(flag: string, value: string, choices: readonly Choice[]): Choice {
  const choice = choices.find(one => one === value)
  if (choice === undefined) throw new WrongUse(`--${flag} is one of ${choices.join(', ')}, not "${value}".`)
  return choice
}
