// The command line: which command, its flags, its help. Exit codes: 0 fine, 1 found something, 2 wrong use.
import { parseArgs } from 'node:util'
import { nearest } from '../scenario/suggestion.ts'
import { type Command, type ExitCode, type Flag, type Input, type Terminal, UsageError } from './command.ts'

// A command is loaded when it is called: `check` needs neither esbuild nor a broker's client.
const commands: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  start: () => import('./start.ts'),
  check: () => import('./check.ts'),
  explain: () => import('./explain.ts'),
  test: () => import('./test.ts'),
  invoke: () => import('./invoke.ts'),
  progress: () => import('./progress.ts'),
  replay: () => import('./replay.ts'),
  state: () => import('./state.ts'),
  cost: () => import('./cost.ts'),
}
const commandNames = Object.keys(commands)

/** Designed, and not there yet. */
const plannedNames = ['dev']

const helpFlag: Flag = { kind: 'switch', about: 'prints this' }

export async function main(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    const [name, ...rest] = words
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      if (name === 'help' && rest[0] !== undefined) return await run(rest[0], ['--help'], terminal)
      terminal.out(await overview())
      return name === undefined ? 2 : 0
    }
    return await run(name, rest, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    terminal.error(`${error.message}\n`)
    return 2
  }
}

async function run(name: string, words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (plannedNames.includes(name)) throw new UsageError(`"${name}" is not built yet. What is: npx sluice --help`)
  const command = await commandNamed(name)
  if (!command) throw new UsageError(`There is no command "${name}"${meant(name, commandNames)} All commands: npx sluice --help`)
  const input = readInput(name, command, words)
  if (input.flags.has('help')) {
    terminal.out(help(command))
    return 0
  }
  return await command.run(input, terminal)
}

async function commandNamed(name: string): Promise<Command | undefined> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  return load && (await load()).command
}

function readInput(name: string, command: Command, words: readonly string[]): Input {
  const known: Readonly<Record<string, Flag>> = { ...command.flags, help: helpFlag }
  const options = Object.fromEntries(
    Object.entries(known).map(([flag, { kind }]) => [
      flag,
      { type: kind === 'switch' ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  const { tokens } = parseArgs({
    args: words.map(word => (word === '-h' ? '--help' : word)),
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const flags = new Map<string, string>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (!flag) {
      throw new UsageError(
        `"${name}" has no flag "${token.rawName}"${meant(token.name, Object.keys(known), '--')} See: npx sluice ${name} --help`,
      )
    }
    flags.set(token.name, flagValue(token.name, flag, token.value))
  }
  if (flags.has('help')) return { arguments: positionals, flags }
  const { minimum, maximum } = command.arguments
  if (positionals.length < minimum) throw new UsageError(`Too few arguments. Usage: npx sluice ${command.usage}`)
  if (positionals.length > maximum)
    throw new UsageError(`"${positionals[maximum]}" is one argument too many. Usage: npx sluice ${command.usage}`)
  return { arguments: positionals, flags }
}

function flagValue(name: string, flag: Flag, value: string | undefined): string {
  if (flag.kind === 'switch') {
    if (value !== undefined) throw new UsageError(`"--${name}" takes no value, found "${value}"`)
    return 'true'
  }
  if (value === undefined) throw new UsageError(`"--${name}" needs a value: --${name} ${flag.placeholder}`)
  if (flag.values && !flag.values.includes(value)) {
    throw new UsageError(`"--${name}" takes ${flag.values.join(', ')}, found "${value}"${meant(value, flag.values)}`)
  }
  return value
}

function meant(name: string, candidates: readonly string[], prefix = ''): string {
  const found = nearest(name, candidates)
  return found === undefined ? '.' : `. Did you mean "${prefix}${found}"?`
}

async function overview(): Promise<string> {
  const lines: string[] = []
  for (const name of commandNames) {
    const command = await commandNamed(name)
    if (command) lines.push(`  ${command.usage.padEnd(34)} ${command.summary}`)
  }
  return [
    'sluice: one scenario file becomes one AWS Lambda on a Kafka topic',
    '',
    'Usage: npx sluice COMMAND',
    '',
    ...lines,
    '',
    'SCENARIO is a name (functions/NAME.yml) or the path of a file.',
    "A command's flags and examples: npx sluice COMMAND --help",
    '',
  ].join('\n')
}

function help(command: Command): string {
  const all: Readonly<Record<string, Flag>> = { ...command.flags, help: helpFlag }
  const flags = Object.entries(all).map(([name, flag]) => {
    const form = flag.kind === 'value' ? `--${name} ${flag.values ? flag.values.join('|') : flag.placeholder}` : `--${name}`
    return `  ${form.padEnd(30)} ${flag.about}`
  })
  const width = Math.max(...command.examples.map(([line]) => line.length))
  const examples = command.examples.map(([line, meaning]) => `  ${line.padEnd(width + 2)} ${meaning}`)
  return [
    command.summary,
    '',
    `Usage: npx sluice ${command.usage}`,
    '',
    'Flags:',
    ...flags,
    '',
    'Examples:',
    ...examples,
    '',
  ].join('\n')
}

if (import.meta.main) {
  // `sluice check | head`: nobody reads on, which is no failure.
  process.stdout.on('error', error => {
    if (!('code' in error && error.code === 'EPIPE')) throw error
  })
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  process.exitCode = await main(process.argv.slice(2), {
    out: text => void process.stdout.write(text),
    error: text => void process.stderr.write(text),
    colors: process.stdout.isTTY === true && !process.env['NO_COLOR'],
    environment: process.env,
    stop: stopping.signal,
  })
}
