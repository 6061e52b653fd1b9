// The rules alone, on decoded values: our compiled plan beside the same rules written by hand and in other engines.
import assert from 'node:assert'
import type { Columns, SinkOutput } from '../../lib/plan/plan.ts'
import { loadStages } from './compiled.ts'
import { assertSame, type Contender, type Figure, measure } from './measure.ts'
import { byHand, celJs, type Engine, type Input, jsonLogic, type Output } from './rule-set.ts'
import { bareRecords } from './workloads.ts'

const eventCount = 1000

export async function rules(): Promise<readonly Figure[]> {
  const inputs = Array.from({ length: eventCount }, (_, n) => JSON.parse(JSON.stringify(inputOf(n))) as Input)
  const expected = inputs.flatMap(input => byHand(input) ?? [])
  // Checked first, that there is something to compare: half of the events end in an offer, and most rows are met.
  assert(expected.length > 300 && new Set(expected.map(({ value }) => JSON.parse(value).action as string)).size >= 12)

  const contenders: Contender[] = [{ name: 'rules', ...(await compiled(inputs, expected)) }]
  const engines: readonly [string, () => Engine, rounds: number][] = [
    ['rules in json-logic-engine', jsonLogic, 3],
    ['rules in @marcbachmann/cel-js', celJs, 1],
    ['rules by hand', () => byHand, 30],
  ]
  for (const [name, make, rounds] of engines) {
    const engine = make()
    const outputs = runEngine(engine, inputs, 1) as Output[]
    assertSame(name, outputs, expected)
    contenders.push({
      name,
      work: rounds,
      run: engine === (byHand as Engine) ? () => runByHand(inputs, rounds) : () => runEngine(engine, inputs, rounds),
    })
  }
  return measure(contenders, { unit: 'ns CPU per event', value: cpuMs => (cpuMs * 1e6) / eventCount })
}

async function compiled(inputs: readonly Input[], expected: readonly Output[]): Promise<Pick<Contender, 'run' | 'work'>> {
  const { plan, createColumns } = await loadStages('test/bench/scenarios/next-best-offer.yml')
  const records = bareRecords('t', inputs.length)
  // Decoded by the plan itself, so that events and look-ups have the shapes that rules meet in a Lambda.
  const text = (value: unknown) => (value === undefined ? null : String(value))
  const events = inputs.map(({ event }) => plan.source.decodeEvent(JSON.parse(JSON.stringify(event))))
  const lookups = plan.lookups.map(lookup =>
    inputs.map(input => {
      const found = input[lookup.name as 'profile' | 'contact'] as Readonly<Record<string, unknown>>
      const { fields } = lookup.command as { readonly fields: readonly string[] }
      return lookup.decode(
        fields.map(field => text(found[field])),
        '',
      )
    }),
  )
  const { emit } = plan.sinks[0]!
  const withoutLookups = { ...plan, lookups: [] }
  const decide = () => {
    // The columns of events and look-ups are there already: decoding them is another benchmark.
    const columns: Columns = { ...createColumns(withoutLookups, records), event: events, lookups }
    for (const step of plan.steps) if ('run' in step) step.run(columns)
    const outputs: SinkOutput[] = []
    for (let i = 0; i < columns.recordCount; i++) emit(columns, i, outputs)
    return outputs
  }
  assertSame('rules', decide(), expected)
  const rounds = 30
  return {
    work: rounds,
    run: () => {
      let last: unknown
      for (let n = 0; n < rounds; n++) last = decide()
      return last
    },
  }
}

// A function of its own per engine, so that V8 may inline each.
function runByHand(inputs: readonly Input[], rounds: number): unknown {
  let outputs: Output[] = []
  for (let n = 0; n < rounds; n++) {
    outputs = []
    for (const input of inputs) {
      const output = byHand(input)
      if (output !== undefined) outputs.push(output)
    }
  }
  return outputs
}

function runEngine(engine: Engine, inputs: readonly Input[], rounds: number): unknown {
  let outputs: Output[] = []
  for (let n = 0; n < rounds; n++) {
    outputs = []
    for (const input of inputs) {
      const output = engine(input)
      if (output !== undefined) outputs.push(output)
    }
  }
  return outputs
}

const at = 1_795_165_200_000

/** Deterministic, no two fields in step. */
function inputOf(n: number): Input {
  const pick = <T>(values: readonly T[], prime: number): T => values[(n * prime + (n >> 3)) % values.length]!
  return {
    event: {
      type: pick(['APP_OPENED', 'LOGIN', 'APP_OPENED', 'LOGIN', 'APP_OPENED', 'LOGIN', 'CLOSED'], 7),
      customerId: n % 50 === 0 ? `test-${n}` : `c-${n}`,
      ...(n % 4 !== 0 && { country: pick(['PL', 'FR', 'DE', 'PL', 'PL'], 11) }),
      channel: pick(['web', 'app', 'shop'], 5),
      usedPercent: (n * 37) % 101,
      balance: ((n * 13) % 160) / 4 - 1,
      at: at + n,
    },
    profile: {
      plan: pick(['basic', 'plus', 'gold', 'basic'], 13),
      segment: pick(['young', 'family', 'business', 'senior'], 3),
      age: 15 + ((n * 17) % 70),
      homeCountry: 'PL',
      consent: n % 10 !== 3,
      monthly: (n * 29) % 120,
    },
    contact: n % 3 === 0 ? { lastAt: at - ((n * 19) % 30) * 86_400_000, count: n % 6 } : { count: 0 },
  }
}
