// All places of a cap's key are one value of the store, read and judged for each batch that asks. An item of DynamoDB has room for some 4,000 of them,
// Redis keeps others waiting (lib/connectors/README.md, Where state is kept). Of `take` nobody knows how many records share the limit.
import type { Report } from './report.ts'
import type { Cap } from './scenario.ts'

const mostPlaces = 4000

export function reportManyPlaces(caps: readonly Cap[], report: Report): void {
  for (const { name, range, limit, take } of caps) {
    const value = limit.constant?.value
    if (take !== undefined || (typeof value !== 'number' && typeof value !== 'bigint') || value <= mostPlaces) continue
    report.add('many-places', { name, limit: `${value}` }, range, {
      notes: [
        'Beyond some 4,000 DynamoDB has no room: the record is a dead letter "too-large". Redis gets slow.',
        'Spread the key over buckets, \'…/{bucket(event.customerId, "", 16)}\', and give each a sixteenth of the limit.',
      ],
    })
  }
}
