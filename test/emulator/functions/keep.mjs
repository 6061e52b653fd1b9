// Writes each event to a file, for whoever wants to see what arrived.
import { appendFileSync } from 'node:fs'

export const handler = async event => {
  appendFileSync(process.env.KEEP, `${JSON.stringify(event)}\n`)
  return { batchItemFailures: [] }
}
