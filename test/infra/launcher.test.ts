// The two CommonJS files that run before anything is installed, each in a checkout of its own.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { isInstalled, installIfNeeded } = createRequire(import.meta.url)('../../infra/install.cjs') as {
  isInstalled(folder: string): boolean
  installIfNeeded(folder: string): boolean
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-launcher-'))
  folders.push(folder)
  return folder
}

function lockFiles(wanted: object, installed: object | undefined, installedSecondsLater: number): string {
  const folder = checkout()
  mkdirSync(join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }))
  utimesSync(join(folder, 'package-lock.json'), 1000, 1000)
  if (installed === undefined) return folder
  const file = join(folder, 'node_modules', '.package-lock.json')
  writeFileSync(file, JSON.stringify({ packages: installed }))
  utimesSync(file, 1000 + installedSecondsLater, 1000 + installedSecondsLater)
  return folder
}

const a1 = { '': {}, 'node_modules/a': { version: '1.0.0' } }
const a2 = { '': {}, 'node_modules/a': { version: '2.0.0' } }
const installedA1 = { 'node_modules/a': { version: '1.0.0' } }

test.each([
  ['nothing is installed', a1, undefined, 0, false],
  ['it was installed after the lock file changed', a1, installedA1, 1, true],
  ['the lock file changed since, in a version', a2, installedA1, -1, false],
  ['the lock file changed since, by a new package', { ...a1, 'node_modules/b': { version: '1.0.0' } }, installedA1, -1, false],
  ['a package is gone', { '': {} }, installedA1, -1, false],
  ['the lock file was only touched', a1, installedA1, -1, true],
  [
    'an optional package is for another platform',
    { ...a1, 'node_modules/b': { version: '1.0.0', optional: true } },
    installedA1,
    -1,
    true,
  ],
])('%s', (_, wanted, installed, seconds, answer) => {
  expect(isInstalled(lockFiles(wanted, installed, seconds))).toBe(answer)
})

test('what is missing is installed by the npm that runs us, with its output on stderr', () => {
  const folder = checkout()
  writeFileSync(join(folder, 'package.json'), '{"name":"empty","version":"1.0.0"}')
  const lock = { name: 'empty', version: '1.0.0', lockfileVersion: 3, packages: { '': { name: 'empty', version: '1.0.0' } } }
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  mkdirSync(join(folder, 'npm'))
  const npm = `const { mkdirSync, writeFileSync } = require('node:fs')
    writeFileSync('arguments.json', JSON.stringify(process.argv.slice(2)))
    console.log('added 0 packages')
    mkdirSync('node_modules')
    writeFileSync('node_modules/.package-lock.json', '{"packages":{}}')`
  writeFileSync(join(folder, 'npm', 'npm-cli.js'), npm)
  const script = `process.exitCode = require(${JSON.stringify(join(root, 'infra/install.cjs'))}).installIfNeeded(${JSON.stringify(folder)}) ? 0 : 1`
  const run = () =>
    spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      env: { ...process.env, npm_execpath: join(folder, 'npm', 'npm-cli.js') },
    })
  const first = run()
  expect([first.status, first.stdout]).toEqual([0, ''])
  expect(first.stderr).toBe('Installing dependencies (once) …\nadded 0 packages\n')
  expect(JSON.parse(readFileSync(join(folder, 'arguments.json'), 'utf8'))[0]).toBe('ci')
  const second = run()
  expect([second.status, second.stdout, second.stderr]).toEqual([0, '', ''])
  expect(installIfNeeded(folder)).toBe(true)
})

function launcher(main: string): string {
  const folder = checkout()
  mkdirSync(join(folder, 'infra'))
  mkdirSync(join(folder, 'lib', 'cli'), { recursive: true })
  for (const file of ['install.cjs', 'sluice.cjs']) cpSync(join(root, 'infra', file), join(folder, 'infra', file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  cpSync(join(root, 'package-lock.json'), join(folder, 'package-lock.json'))
  utimesSync(join(folder, 'package-lock.json'), 1000, 1000)
  writeFileSync(join(folder, 'lib', 'cli', 'main.ts'), main)
  return folder
}

test('npx sluice hands arguments over, and its exit code back', () => {
  const folder = launcher('const code: number = 7\nconsole.log(process.argv.slice(2).join("|"))\nprocess.exitCode = code\n')
  const run = spawnSync(process.execPath, [join(folder, 'infra', 'sluice.cjs'), 'check', '--format', 'json'], {
    encoding: 'utf8',
  })
  expect([run.status, run.stdout, run.stderr]).toEqual([7, 'check|--format|json\n', ''])
})

test.each([
  ['that ends in order', `process.on('SIGTERM', () => process.exit(3))`, 3],
  ['that dies of it', '', 143],
])('a signal reaches a command %s', async (_, handling, code) => {
  const folder = launcher(`${handling}\nsetInterval(() => undefined, 1000)\nconsole.log('ready')\n`)
  const child = spawn(process.execPath, [join(folder, 'infra', 'sluice.cjs')], { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.once('data', () => child.kill('SIGTERM'))
  expect(await new Promise(resolve => child.on('exit', resolve))).toBe(code)
})

test('both files are there for a Node that runs no TypeScript', () => {
  expect(existsSync(join(root, 'infra/sluice.cjs'))).toBe(true)
  for (const file of ['install.cjs', 'sluice.cjs']) {
    expect(readFileSync(join(root, 'infra', file), 'utf8')).not.toMatch(/require\('\.\/.*\.ts'\)|\bimport\b.*from/)
  }
})
