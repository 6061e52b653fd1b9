// From base64 values to checked events, beside the floor: base64 and JSON.parse alone.
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import { loadStages } from './compiled.ts'
import { assertSame, type Figure, measure } from './measure.ts'

const recordCount = 1000
const rounds = 10

const scenario = 'test/bench/scenarios/card-payment.yml'

// 300 bytes, as events of the kind are.
const recordText = (n: number, large: boolean): string =>
  `{"paymentId":${large ? '9007199254740993' : 1_000_000 + n},"cardId":"4f9c2b7e-${n}","clientId":"c-${n}","merchant":"Sklep Żabka ${n % 90}","category":"grocery",` +
  `"amount":${(n % 500) + 0.25},"currency":"PLN","country":"PL","city":"Warszawa","online":${n % 3 === 0},"attempts":${n % 4},` +
  `"at":${1_795_165_200_000 + n},"device":{"id":"d-${n}","model":"Pixel 12","rooted":false}}`

export async function decoding(): Promise<readonly Figure[]> {
  return [
    ...(await measureDecode('decode', () => false)),
    ...(await measureDecode('decode/1 in 100 beyond 2^53', n => n % 100 === 7)),
  ]
}

async function measureDecode(name: string, isLarge: (n: number) => boolean): Promise<readonly Figure[]> {
  const { plan, readEvent, decode } = await loadStages(scenario)
  const values = Array.from({ length: recordCount }, (_, n) => recordText(n, isLarge(n)))
  const event: KafkaEvent = {
    eventSource: 'aws:kafka',
    records: {
      'payments-0': values.map((value, offset) => ({
        topic: 'payments',
        partition: 0,
        offset,
        timestamp: 1_795_165_200_000,
        timestampType: 'CREATE_TIME' as const,
        key: Buffer.from(`c-${offset}`).toString('base64'),
        value: Buffer.from(value).toString('base64'),
        headers: [],
      })),
    },
  }
  const ours = () => decode(readEvent(event, plan)[0]!.records, plan).event
  const floor = () =>
    event.records['payments-0']!.map(
      record => JSON.parse(Buffer.from(record.value!, 'base64').toString()) as Record<string, unknown>,
    )

  const expected = floor().map((json, n) => ({
    paymentId: isLarge(n) ? 9007199254740993n : json['paymentId'],
    clientId: json['clientId'],
    amount: json['amount'],
    device: json['device'],
    atSeconds: Math.floor((json['at'] as number) / 1000),
  }))
  const found = (
    ours() as { paymentId: unknown; clientId: unknown; amount: unknown; device: object; at: { seconds: number } }[]
  ).map(({ paymentId, clientId, amount, device, at }) => ({
    paymentId,
    clientId,
    amount,
    device: { ...device },
    atSeconds: at.seconds,
  }))
  assertSame(name, found, expected)
  return measure(
    [
      { name, work: rounds, run: () => repeat(ours) },
      { name: `${name} floor: base64 + JSON.parse`, work: rounds, run: () => repeat(floor) },
    ],
    { unit: 'ns CPU per record', value: cpuMs => (cpuMs * 1e6) / recordCount },
  )
}

function repeat(run: () => unknown): unknown {
  let last: unknown
  for (let n = 0; n < rounds; n++) last = run()
  return last
}
