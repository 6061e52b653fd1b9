// `npm run bench [-- NAME…]`: every figure with its baseline in the same run, results checked first. `--format json`: one object a line.
import { parseArgs } from 'node:util'
import { cpu } from './cpu.ts'
import type { Figure } from './measure.ts'

const benchmarks: Readonly<Record<string, () => Promise<readonly Figure[]>>> = { cpu }

const { values, positionals } = parseArgs({ allowPositionals: true, options: { format: { type: 'string', default: 'text' } } })
const unknown = positionals.filter(name => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  console.error(`There is no benchmark "${unknown[0]}". There are: ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}

for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
  for (const figure of await benchmarks[name]!()) {
    if (values.format === 'json') console.log(JSON.stringify(figure))
    else
      console.log(
        `${figure.name.padEnd(72)} ${String(figure.value).padStart(8)} ${figure.unit}  ${String(figure.ratio).padStart(5)} × ${figure.name === figure.baseline ? 'itself' : 'its baseline'}, median of ${figure.runs}`,
      )
  }
}
