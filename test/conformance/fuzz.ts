// `node test/conformance/fuzz.ts [--seed N] [--evaluations N] [--depth N]`: random expressions here and in @bufbuild/cel, until one differs.
// A seed gives the same run again.
import { parseArgs } from 'node:util'
import { fuzz } from './differential.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    evaluations: { type: 'string', default: '200000' },
    depth: { type: 'string', default: '5' },
  },
})

const bindingsPerExpression = 5
const report = fuzz({
  seed: Number(values.seed),
  expressionCount: Math.ceil(Number(values.evaluations) / bindingsPerExpression),
  bindingsPerExpression,
  depth: Number(values.depth),
})
for (const difference of report.differences.slice(0, 20)) console.log(`${difference}\n`)
console.log(
  `seed ${values.seed}: ${report.evaluationCount} evaluations, ${report.valueCount} with a value, ${report.differences.length} expressions that differ`,
)
process.exitCode = report.differences.length === 0 ? 0 : 1
