// A replay that dies (SIGKILL) before its n-th request that writes, or after its answer (each counts). Arguments: scenario file, n. The environment is that of the command.

import { runReplay } from '../../../lib/cli/replay.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'

const [file, diesAt] = process.argv.slice(2) as [string, string]
const apis = new Set(['InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn'])
let count = 0
const exitCode = await runReplay(
  { arguments: [file], flags: new Map() },
  {
    out: text => process.stdout.write(text),
    error: text => process.stderr.write(text),
    colors: false,
    environment: process.env,
    stop: new AbortController().signal,
  },
  config =>
    createKafka({
      ...config,
      observe({ api }) {
        if (!apis.has(api) || ++count !== Number(diesAt)) return
        process.kill(process.pid, 'SIGKILL')
      },
    }),
)
process.exitCode = exitCode
