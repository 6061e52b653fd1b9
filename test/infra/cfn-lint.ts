// cfn-lint, AWS' own linter of templates, knows what schemas do not say: intervals, zones, references in conditions. It is a Python program
// and no dependency of ours: `pip install cfn-lint` puts it on the PATH, CFN_LINT names it elsewhere.
import { spawnSync } from 'node:child_process'

const command = process.env['CFN_LINT'] ?? 'cfn-lint'

/** Undefined: it is there. */
export function whyNoCfnLint(): string | undefined {
  return spawnSync(command, ['--version']).status === 0 ? undefined : 'no cfn-lint: pip install cfn-lint, or name it in CFN_LINT'
}

/** What it says; empty: nothing. */
export function cfnLint(templateFile: string): string {
  const regions = ['--regions', 'eu-central-1', 'us-east-1']
  // osls names a function's role under DependsOn, though the function refers to it: twice is no harm.
  const ignored = ['--ignore-checks', 'W3005']
  const { stdout, stderr } = spawnSync(command, [...regions, ...ignored, '--template', templateFile], { encoding: 'utf8' })
  return `${stdout}${stderr}`.trim()
}
