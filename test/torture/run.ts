// `npm run torture`: faults on a real broker and a real Redis of its own. Exit code 0: exactly once, 1: not, or it broke, 2: wrong use.
import { readCommandLine } from '../command-line.ts'
import { tortureReference } from './reference.ts'
import { faultKinds, type TortureOptions, type TortureResult, torture } from './torture.ts'

const usage = `npm run torture -- [--faults N] [--seed S] [--kafka VERSION] [--transaction-version 1|2] [--brokers 1|3] [--state | --reference] [--only KIND]…
  --faults               how many faults must strike (default 1000)
  --seed                 decides which, where and when (default: by the clock; it is printed)
  --kafka                the broker's version (default 4.2.2)
  --transaction-version  1 is the protocol of Kafka 3 (default 2)
  --brokers              1, or 3 that keep everything three times (default 1)
  --state                a function whose records leave something for later ones, and that has places to give
  --reference            Kafka's own TransactionalMessageCopier instead of our function (default 60 faults, a Java process each; without
                         zombies, against which it has no guard: --only zombie)
  --only                 one kind of fault; may be repeated: ${faultKinds.join(', ')}

Example: npm run torture -- --faults 100 --seed 7 --kafka 3.9.2`

// Containers, broker and Redis end with this process, and it must come to its end for that.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

process.exit(await main())

async function main(): Promise<number> {
  let options: TortureOptions & { readonly reference: boolean }
  try {
    options = readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  console.log(`seed ${options.seed}`)
  const startMs = Date.now()
  const progress = (struck: number) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${bar(struck / options.faults)} ${struck} of ${options.faults} faults `)
  }
  try {
    const result = await (options.reference ? tortureReference : torture)({ ...options, progress })
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    return print(result, (Date.now() - startMs) / 1000)
  } catch (error) {
    console.error(`seed ${options.seed}: ${(error as Error).message}`)
    return 1
  }
}

function print(
  { strikes, verdict, wrongState, recordCount, faultCount, stable, readingCount }: TortureResult,
  seconds: number,
): number {
  const rows = faultKinds.map(kind => {
    const points = [...(strikes.get(kind) ?? [])]
    return {
      kind,
      times: points.reduce((sum, [, times]) => sum + times, 0),
      points: points.filter(([point]) => point !== '').length,
    }
  })
  const width = Math.max(...faultKinds.map(kind => kind.length))
  for (const { kind, times, points } of rows) {
    if (times === 0) continue
    console.log(`${kind.padEnd(width)} ${String(times).padStart(5)}${points > 0 ? `  at ${points} points` : ''}`)
  }
  for (const [name, ids] of Object.entries({ ...verdict, wrongState }))
    if (ids.length > 0) console.log(`${name}: ${ids.slice(0, 20).join(', ')}`)
  if (!stable) console.log('A read_committed consumer saw records that were not there later.')
  console.log(`${seconds.toFixed(0)} s; a read_committed consumer read all of it ${readingCount} times meanwhile`)
  const { lost, duplicated, reordered, wrong } = verdict
  console.log(
    `faults ${faultCount}, records ${recordCount}, lost ${lost.length}, duplicated ${duplicated.length}, reordered ${reordered.length}`,
  )
  return stable && [lost, duplicated, reordered, wrong, wrongState].every(ids => ids.length === 0) ? 0 : 1
}

function readOptions(): TortureOptions & { readonly reference: boolean } {
  const { values } = readCommandLine(
    {
      options: {
        faults: { type: 'string' },
        reference: { type: 'boolean', default: false },
        state: { type: 'boolean', default: false },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        kafka: { type: 'string' },
        'transaction-version': { type: 'string' },
        brokers: { type: 'string', default: '1' },
        only: { type: 'string', multiple: true },
      },
    },
    usage,
  )
  for (const name of ['faults', 'seed'] as const) {
    if (!/^\d+$/.test(values[name] ?? '1')) throw new Error(`--${name} needs a whole number, not "${values[name]}".`)
  }
  const transactionVersion = values['transaction-version']
  if (transactionVersion !== undefined && transactionVersion !== '1' && transactionVersion !== '2') {
    throw new Error(`--transaction-version is 1 or 2, not "${transactionVersion}".`)
  }
  if (values.brokers !== '1' && values.brokers !== '3') throw new Error(`--brokers is 1 or 3, not "${values.brokers}".`)
  const kinds = values.only?.map(name => {
    const kind = faultKinds.find(one => one === name)
    if (kind === undefined) throw new Error(`There is no kind of fault "${name}".`)
    return kind
  })
  return {
    reference: values.reference,
    state: values.state,
    faults: Number(values.faults ?? (values.reference ? 60 : 1000)),
    seed: Number(values.seed),
    ...(values.kafka !== undefined && { version: values.kafka }),
    ...(transactionVersion !== undefined && { transactionVersion: Number(transactionVersion) as 1 | 2 }),
    brokerCount: Number(values.brokers) as 1 | 3,
    ...(kinds !== undefined && { kinds }),
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * 30)
  return `[${'#'.repeat(full)}${'.'.repeat(30 - full)}]`
}
