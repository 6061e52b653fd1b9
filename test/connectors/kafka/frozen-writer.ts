// A process that stops itself (SIGSTOP) as it is about to commit, as Lambda freezes a container; its parent lets it go on. Prints what became of
// the transaction. Arguments: bootstrap servers, place as JSON, transaction timeout in ms.
import { writeSync } from 'node:fs'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { claim, output, type Place, within } from './outputs.ts'

const [bootstrapServers, placeText, timeoutText] = process.argv.slice(2) as [string, string, string]
const place = JSON.parse(placeText) as Place
let freezes = false
const kafka = createKafka({
  bootstrapServers,
  clientId: 'frozen',
  transactionTimeoutMs: Number(timeoutText),
  observe(call) {
    if (!freezes || call.api !== 'EndTxn' || call.phase !== 'request') return
    freezes = false
    writeSync(1, 'freezing\n')
    process.kill(process.pid, 'SIGSTOP')
  },
})
const { session } = await claim(kafka, place)
freezes = true
const transaction = { group: place.group, progress: place.source, nextOffset: 1n, records: [output(place.target, 'frozen')] }
const outcome = await kafka.transact(session, transaction, within(60_000)).then(
  () => 'committed',
  (error: Error & { id?: string }) => error.id ?? error.name,
)
console.log(outcome)
await kafka.close()
