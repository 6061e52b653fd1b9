import { expect, test } from 'vitest'
import { breakEven, containersPerMonth, costOf, flinkPerMonth, type Workload } from '../../lib/cli/cost-model.ts'
import { main } from '../../lib/cli/main.ts'

const workload: Workload = {
  eventsPerSecond: 500,
  cpuMsPer1000: 10,
  batchSize: 100,
  windowSeconds: 0.5,
  roundTrips: 2,
  memoryMb: 1769,
  architecture: 'arm64',
  mode: 'on-demand',
  metricCount: 10,
  alarmCount: 6,
}

test('a million events are 10,000 full batches of 9 ms', () => {
  const cost = costOf(workload)
  expect([cost.eventsPerBatch, cost.batchMs]).toEqual([100, 9])
  // 10,000 × $0.0000002; 10,000 × 0.009 s × 1.7275 GB × $0.0000133334; 12 MB of log.
  expect(cost.requests).toBeCloseTo(0.002, 6)
  expect(cost.duration).toBeCloseTo(0.002073, 6)
  expect(cost.logs).toBeCloseTo(0.006, 6)
  expect(cost.pollers).toBe(0)
  // 10 × $0.30 + 6 × $0.10 + $3
  expect(cost.watchingPerMonth).toBeCloseTo(6.6, 6)
  // 500 × 2,628,000 s = 1,314 million events
  expect(cost.perMonth).toBeCloseTo(19.836, 2)
})

test.each<[string, Partial<Workload>, Partial<Record<'eventsPerBatch' | 'batchMs', number>>]>([
  ['few events leave batches small', { eventsPerSecond: 20 }, { eventsPerBatch: 10, batchMs: 9 }],
  ['a batch has at least one event', { eventsPerSecond: 0.1 }, { eventsPerBatch: 1 }],
  [
    'without a window a batch is what came during the one before',
    { eventsPerSecond: 1000, windowSeconds: 0 },
    { eventsPerBatch: 8 },
  ],
  ['half the memory is half the processor', { memoryMb: 884.5, batchSize: 1000, eventsPerSecond: 10_000 }, { batchMs: 28 }],
  ['more memory than one processor is no faster', { memoryMb: 3538 }, { batchMs: 9 }],
])('%s', (_, change, expected) => {
  expect(costOf({ ...workload, ...change })).toMatchObject(expected)
})

test('a poller unit is $135 a month, whatever it carries', () => {
  expect(costOf({ ...workload, mode: 'provisioned' }).pollers * 1314).toBeCloseTo(135.05, 2)
})

test('Flink pays a KPU more than it uses, containers stand in pairs', () => {
  // 2 × $0.11 × 730 + 50 GB × $0.10; with 6 KPUs 7 × $80.30 + $30
  expect([flinkPerMonth(100), flinkPerMonth(30_000)].map(value => value.toFixed(2))).toEqual(['165.60', '592.10'])
  // 2 × ($0.03238 + 2 × $0.00356) × 730; one pair carries 50,000 events/s at half load
  expect([containersPerMonth(100, 10), containersPerMonth(60_000, 10)].map(value => value.toFixed(2))).toEqual([
    '57.67',
    '115.34',
  ])
})

test('the break-even is where the curves cross', () => {
  const rate = breakEven(workload, () => 57.67)!
  expect(costOf({ ...workload, eventsPerSecond: rate }).perMonth).toBeGreaterThan(57.67)
  expect(costOf({ ...workload, eventsPerSecond: rate / 1.03 }).perMonth).toBeLessThan(57.67)
  expect(breakEven(workload, () => 1e9)).toBeUndefined()
})

function run(...words: readonly string[]) {
  let text = ''
  const write = (more: string) => {
    text += more
  }
  const terminal = { out: write, error: write, colors: false, environment: {}, stop: new AbortController().signal }
  return main(words, terminal).then(code => ({ code, text }))
}

test('the command measures a scenario on its sample, and tells the sum', async () => {
  const { code, text } = await run('cost', 'telecom-campaign', '--format', 'json')
  expect(code).toBe(0)
  const { workload: measured, cost } = JSON.parse(text)
  expect(measured).toMatchObject({ eventsPerSecond: 100, batchSize: 100, roundTrips: 1, memoryMb: 1024, mode: 'on-demand' })
  expect(measured.cpuMsPer1000).toBeGreaterThan(0)
  expect(cost.perMillion).toBeCloseTo(cost.requests + cost.duration + cost.logs, 10)
})

test('with given figures nothing is measured, and the text is the same each time', async () => {
  const { code, text } = await run('cost', 'telecom-campaign', '--ms', '10', '--rate', '500', '--memory', '1769')
  expect(code).toBe(0)
  expect(text.split('\n').slice(0, 7)).toEqual([
    'telecom-campaign at 500 events/s: $0.0098 per million events, $20.13 a month',
    '',
    '  requests       $0.0020   batches of 100 (at most 100, 0.5 s)',
    '  duration       $0.0018   8 ms a batch, 1769 MB, arm64; 10.00 ms CPU per 1,000 events',
    "  logs           $0.0060   a line of metrics a batch, and Lambda's own",
    '  pollers             $0   on demand: free',
    '  watching         $7.20   a month: 12 metrics, 6 alarms, a dashboard',
  ])
})

test('a figure that is none is refused', async () => {
  expect(await run('cost', 'telecom-campaign', '--rate', '0')).toEqual({
    code: 2,
    text: '"--rate" needs a number from 0.001, found "0"\n',
  })
})
