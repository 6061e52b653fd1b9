// `node test/conformance/fuzz.ts [--seed N] [--evaluations N] [--depth N] [--dynamic]`: random expressions here and in @bufbuild/cel, until one differs.
// A seed gives the same run again.
import { parseArgs } from 'node:util'
import { fuzz } from './differential.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    evaluations: { type: 'string', default: '200000' },
    depth: { type: 'string', default: '5' },
    dynamic: { type: 'boolean', default: false },
  },
})

const bindingsPerExpression = 5
const report = fuzz({
  seed: Number(values.seed),
  expressionCount: Math.ceil(Number(values.evaluations) / bindingsPerExpression),
  bindingsPerExpression,
  depth: Number(values.depth),
  dynamic: values.dynamic,
})
for (const difference of report.differences.slice(0, 20)) console.log(`${difference}\n`)
console.log(
  `seed ${values.seed}: ${report.evaluationCount} evaluations, ${report.valueCount} with a value, ${report.refusedCount} expressions refused, ${report.differences.length} that differ`,
)
process.exitCode = report.differences.length === 0 ? 0 : 1
