// `npx sluice check`: what is wrong with scenario files, for people, for programs and for GitHub.
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { checkScenario, checkSharedFile } from '../scenario/check.ts'
import {
  type Diagnostic,
  diagnostic,
  githubDiagnostic,
  jsonDiagnostic,
  renderDiagnostic,
  type Severity,
} from '../scenario/diagnostics.ts'
import { type Command, type ExitCode, type Input, type Terminal, UsageError } from './command.ts'
import { allScenarios, allSharedFiles, openScenario, type ScenarioFile } from './scenario-file.ts'
import { isRedisCluster } from './service-settings.ts'

export const command: Command = {
  summary: 'Checks scenarios: names, types, tables, examples',
  usage: 'check [SCENARIO…]',
  examples: [
    ['npx sluice check', 'checks all of functions/*.yml'],
    ['npx sluice check next-best-action', 'checks functions/next-best-action.yml'],
    ['npx sluice check drafts/promotion.yml --watch', 'checks a file again whenever it is saved'],
  ],
  flags: {
    format: {
      kind: 'value',
      placeholder: 'FORMAT',
      values: ['text', 'json', 'github'],
      about: 'json: one object a line; github: for GitHub Actions',
    },
    strict: { kind: 'switch', about: 'names the places that standard CEL would refuse' },
    watch: { kind: 'switch', about: 'checks again whenever a file is saved, until Ctrl-C' },
  },
  arguments: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  run: async (input, terminal) => {
    const files = scenarioFiles(input)
    const exitCode = checkFiles(files, input, terminal)
    if (!input.flags.has('watch')) return exitCode
    const folders = new Set([...files.map(({ file }) => dirname(file)), ...allSharedFiles().map(({ file }) => dirname(file))])
    await watchFolders(folders, terminal.stop, () => checkFiles(scenarioFiles(input), input, terminal))
    return 0
  },
}

function scenarioFiles(input: Input): readonly ScenarioFile[] {
  const files =
    input.arguments.length > 0 ? input.arguments.map(name => openScenario(name, { mayBeShared: true })) : allScenarios()
  if (files.length === 0)
    throw new UsageError('There is no scenario: functions/ holds no .yml file. Name one: npx sluice check FILE')
  return files
}

function checkFiles(files: readonly ScenarioFile[], input: Input, terminal: Terminal): ExitCode {
  const format = input.flags.get('format') ?? 'text'
  const strict = input.flags.has('strict')
  // Only who runs the store knows; a function finds it out when it first writes (runtime/errors.ts has the same id).
  const redisCluster = isRedisCluster(terminal.environment)
  const count: Record<Severity, number> = { error: 0, warning: 0, hint: 0 }
  // What is wrong with a shared file is told once, however many scenarios use it.
  const told = new Set<string>()
  const tell = (found: Diagnostic, text: string): void => {
    const key = JSON.stringify([found.file, found.id, found.range, found.message])
    if (told.has(key)) return
    told.add(key)
    count[found.severity]++
    terminal.out(printed(found, text, format, terminal.colors))
  }
  const used = new Set<string>()
  let isUseKnown = true
  for (const { file, text, folder, isShared } of files) {
    if (isShared) {
      for (const found of checkSharedFile(file, text, { ...folder, strict })) tell(found, text)
      continue
    }
    const { diagnostics, shared, usesUnknown } = checkScenario(file, text, { ...folder, strict, redisCluster })
    for (const each of shared) used.add(each)
    isUseKnown &&= !usesUnknown
    for (const found of diagnostics) tell(found, text)
  }
  if (input.arguments.length === 0) {
    for (const { file, text, folder } of allSharedFiles()) {
      if (used.has(file)) continue
      // A scenario that cannot be read, or misspells what it uses, may mean this file.
      if (isUseKnown) tell(unusedFile(file), text)
      for (const found of checkSharedFile(file, text, { ...folder, strict })) tell(found, text)
    }
  }
  if (format === 'text') terminal.out(`${summary(files, count)}\n`)
  return exitCodeOf(count, terminal)
}

function unusedFile(file: string): Diagnostic {
  const notes = [{ message: 'Remove it, or name it under "use" of a scenario.' }]
  return diagnostic('unused/shared', {}, { file, range: { start: 0, end: 0 }, notes })
}

function printed(found: Diagnostic, text: string, format: string, colors: boolean): string {
  if (format === 'json') return `${jsonDiagnostic(found, text)}\n`
  if (format === 'github') return `${githubDiagnostic(found, text)}\n`
  return `${renderDiagnostic(found, text, { colors })}\n`
}

/** Warnings alone are fine at a desk and not in CI, where nobody reads them. */
function exitCodeOf(count: Readonly<Record<Severity, number>>, terminal: Terminal): ExitCode {
  const isCi = !['', '0', 'false', undefined].includes(terminal.environment['CI'])
  return count.error > 0 || (isCi && count.warning > 0) ? 1 : 0
}

function summary(files: readonly ScenarioFile[], count: Readonly<Record<Severity, number>>): string {
  const found = (['error', 'warning', 'hint'] as const)
    .filter(severity => count[severity] > 0)
    .map(severity => plural(count[severity], severity))
  const sharedCount = files.filter(({ isShared }) => isShared).length
  const counted = [
    ...(sharedCount < files.length ? [plural(files.length - sharedCount, 'scenario')] : []),
    ...(sharedCount > 0 ? [plural(sharedCount, 'shared file')] : []),
  ]
  return `${counted.join(', ')} checked: ${found.length === 0 ? 'fine' : found.join(', ')}`
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

// An editor saves in several steps; one check after the last of them is enough.
const settleMs = 50

// Whoever writes the output into the same folder is not checked because of that.
const isInput = (file: string): boolean => /\.(ya?ml|csv|json)$/.test(file)

async function watchFolders(folders: ReadonlySet<string>, stop: AbortSignal, check: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const watchers: FSWatcher[] = [...folders].map(folder =>
    watch(folder, (_, file) => {
      if (file !== null && !isInput(file)) return
      clearTimeout(timer)
      timer = setTimeout(checkAgain, settleMs)
    }),
  )
  const checkAgain = (): void => {
    try {
      check()
    } catch (error) {
      // Between deleting and writing a file it is not there for a moment.
      if (!(error instanceof UsageError)) throw error
    }
  }
  await new Promise<void>(resolve => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
  clearTimeout(timer)
  for (const watcher of watchers) watcher.close()
}
