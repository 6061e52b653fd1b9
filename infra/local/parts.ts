// Parts of tests that are no dependency of ours, since they are large or must be compiled: made once, under .sluice/, where this machine can.
// A part is whole or not there: it is made in a folder of its own, which takes its place at the end.
import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { sluiceFolder } from './process.ts'

export interface Told {
  readonly isThere: boolean
  /** In one line: what is there, or why not. */
  readonly text: string
}

/** Runs a command whose words go to the part's log; throws where it fails. */
export type Logged = (command: string, args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<void>

export interface Part {
  readonly name: string
  /** The folder under .sluice/ where it belongs. */
  readonly place: string
  isThere(): boolean
  make(folder: string, run: Logged): Promise<void>
}

/** Longer than any part takes: what is older was left by a run that was killed. */
const abandonedAfterMs = 3_600_000

export async function makeOnce({ name, place, isThere, make }: Part): Promise<Told> {
  if (isThere()) return { isThere: true, text: `${name} is there` }
  const started = performance.now()
  const logFile = join(sluiceFolder, 'log', `${basename(place)}.log`)
  removeAbandoned(place)
  const folder = `${place}.making-${process.pid}`
  mkdirSync(folder, { recursive: true })
  mkdirSync(dirname(logFile), { recursive: true })
  const log = openSync(logFile, 'w')
  try {
    await make(folder, (command, args, environment = {}) => runLogged({ command, args, environment, folder, log }))
    // Another run may have been faster, or an older version of the part is there.
    if (!isThere()) {
      rmSync(place, { recursive: true, force: true })
      renameSync(folder, place)
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    return isThere()
      ? { isThere: true, text: `${name} was made in ${seconds} s` }
      : { isThere: false, text: `${name} could not be made: it lacks what is looked for; see ${logFile}` }
  } catch (error) {
    return { isThere: false, text: `${name} could not be made: ${(error as Error).message}; see ${logFile}` }
  } finally {
    closeSync(log)
    rmSync(folder, { recursive: true, force: true })
  }
}

export function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

async function runLogged(options: {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
  readonly log: number
}): Promise<void> {
  const { command, args, environment, folder, log } = options
  const child = spawn(command, [...args], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', log, log],
  })
  const end = await new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code === 0 ? '' : `${command} ended with ${code ?? signal}`))
  })
  if (end !== '') throw new Error(end)
}

function removeAbandoned(place: string): void {
  const parent = dirname(place)
  mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent).filter(one => one.startsWith(`${basename(place)}.making-`))) {
    const folder = join(parent, name)
    if (Date.now() - statSync(folder).mtimeMs > abandonedAfterMs) rmSync(folder, { recursive: true, force: true })
  }
}
