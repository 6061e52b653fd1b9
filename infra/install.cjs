// Installs the dependencies once, so that each npm script works on a fresh clone. Plain CommonJS without dependencies: it runs on the Node
// (≥ 20) that the machine has, before the one of node_modules is there. npm looks `node` up anew afterwards and finds Node 24.
const { spawnSync } = require('node:child_process')
const { existsSync, readFileSync, statSync, utimesSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')

/** Runs `npm ci` where needed; false where that failed. Writes to stderr alone, since stdout may be somebody's data. */
function installIfNeeded(folder = root) {
  if (isInstalled(folder)) return true
  process.stderr.write('Installing dependencies (once) …\n')
  const { command, args } = npm()
  const result = spawnSync(command, [...args, 'ci', '--no-progress', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  })
  if (result.status === 0 && existsSync(installedLock(folder))) return true
  process.stderr.write(
    `${result.error ? `${result.error.message}\n` : ''}"npm ci" failed: see its words above, then run it by hand in ${folder}.\n`,
  )
  return false
}

function isInstalled(folder) {
  const installed = installedLock(folder)
  const wanted = join(folder, 'package-lock.json')
  if (!existsSync(installed)) return false
  if (statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return true
  // Newer does not mean other: git and npm itself touch the lock file without a change. Installing anew costs 15 s and a working folder.
  if (!sameVersions(installed, wanted)) return false
  const now = new Date()
  utimesSync(installed, now, now)
  return true
}

function sameVersions(installed, wanted) {
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  const want = JSON.parse(readFileSync(wanted, 'utf8')).packages
  const present = Object.keys(have).every(path => want[path] !== undefined && want[path].version === have[path].version)
  // npm leaves out optional packages for other platforms.
  const complete = Object.keys(want).every(
    path => path === '' || want[path].optional || want[path].devOptional || have[path] !== undefined,
  )
  return present && complete
}

function installedLock(folder) {
  return join(folder, 'node_modules', '.package-lock.json')
}

// The npm that runs us, if one does: another one might write another lock file.
function npm() {
  const running = process.env.npm_execpath
  if (running && /npm-cli\.[cm]?js$/.test(running)) return { command: process.execPath, args: [running] }
  return { command: 'npm', args: [] }
}

/** The Node that runs our TypeScript: the one of node_modules, on other platforms the user's own. Undefined: too old. */
function nodeForTypeScript(folder = root) {
  const own = join(folder, 'node_modules', '.bin', 'node')
  if (existsSync(own)) return own
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18) ? process.execPath : undefined
}

module.exports = { installIfNeeded, isInstalled, nodeForTypeScript }

if (require.main === module && !installIfNeeded()) process.exitCode = 1
