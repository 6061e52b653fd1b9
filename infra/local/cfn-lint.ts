// cfn-lint, AWS' own linter of templates, knows what schemas do not say: intervals, zones, references in conditions. It is a Python program and
// no dependency of ours: the one that CFN_LINT names, the machine's, or ours under .sluice/, which `npm test` puts there where there is pip
// (by hand: `node infra/local/cfn-lint.ts`).
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isOnPath, makeOnce, type Told } from './parts.ts'
import { sluiceFolder } from './process.ts'

interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const place = join(sluiceFolder, 'cfn-lint')
/** With all that it needs, so that the same linter judges in each run. */
const pinned = fileURLToPath(new URL('./cfn-lint.txt', import.meta.url))
const wanted = '1.58.0'

/** Undefined: it is there. */
export function whyNoCfnLint(): string | undefined {
  return commandOf() === undefined ? `no cfn-lint: ${whyNotInstalled() ?? 'node infra/local/cfn-lint.ts installs it'}` : undefined
}

/** What it says; empty: nothing. */
export function cfnLint(templateFile: string): string {
  const { command, args, environment } = commandOf()!
  const regions = ['--regions', 'eu-central-1', 'us-east-1']
  // osls names a function's role under DependsOn, though the function refers to it: twice is no harm.
  const ignored = ['--ignore-checks', 'W3005']
  const { stdout, stderr, error } = spawnSync(command, [...args, ...regions, ...ignored, '--template', templateFile], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  })
  if (error) throw error
  return `${stdout}${stderr}`.trim()
}

let found: Command | undefined

function commandOf(): Command | undefined {
  found ??= candidates().find(({ command, args, environment }) => {
    return spawnSync(command, [...args, '--version'], { env: { ...process.env, ...environment } }).status === 0
  })
  return found
}

function candidates(): readonly Command[] {
  const named = process.env['CFN_LINT']
  if (named !== undefined) return [{ command: named, args: [], environment: {} }]
  const ours = existsSync(join(place, 'cfnlint')) ? [oursIn(place)] : []
  return [...ours, ...(isOnPath('cfn-lint') ? [{ command: 'cfn-lint', args: [], environment: {} }] : [])]
}

/** pip's own start script would name the interpreter that installed it by its path. */
function oursIn(folder: string): Command {
  const start = 'import sys; from cfnlint.runner import main; sys.exit(main())'
  return { command: 'python3', args: ['-c', start], environment: { PYTHONPATH: folder } }
}

function whyNotInstalled(): string | undefined {
  if (!isOnPath('python3')) return 'there is no python3 here'
  return pip() === undefined ? 'there is no pip here, and python3 makes none' : undefined
}

/** pip, or the module that makes it in an environment of its own: Debian's python3 has neither. */
function pip(): 'pip' | 'ensurepip' | undefined {
  return (['pip', 'ensurepip'] as const).find(module => spawnSync('python3', ['-c', `import ${module}`]).status === 0)
}

async function install(): Promise<Told> {
  if (commandOf() !== undefined) return { isThere: true, text: 'cfn-lint is there' }
  const reason = whyNotInstalled()
  if (reason !== undefined) return { isThere: false, text: `cfn-lint is not installed: ${reason}` }
  return await makeOnce({
    name: `cfn-lint ${wanted}`,
    place,
    isThere: () => commandOf() !== undefined,
    make: async (folder, run) => {
      const environment = join(folder, 'environment')
      const isOwn = pip() === 'ensurepip'
      if (isOwn) await run('python3', ['-m', 'venv', environment])
      const python = isOwn ? join(environment, 'bin', 'python3') : 'python3'
      await run(python, ['-m', 'pip', 'install', '--no-input', '--target', folder, '--no-deps', '-r', pinned])
      rmSync(environment, { recursive: true, force: true })
    },
  })
}

if (import.meta.main) {
  const { isThere, text } = await install()
  process.stdout.write(`${text}\n`)
  process.exitCode = isThere ? 0 : 1
}
