#!/usr/bin/env node
// `npx sluice`: installs if needed and hands over to the TypeScript entry under Node 24. Plain CommonJS: it runs on Node 20 as well.
// Never rename this file: npx keeps a link to it.
const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const { join } = require('node:path')
const { installIfNeeded, nodeForTypeScript } = require('./install.cjs')

function main() {
  if (!installIfNeeded()) return process.exit(1)
  const node = nodeForTypeScript()
  if (node === undefined) {
    process.stderr.write(
      `sluice needs Node 22.18 or newer on this platform, and found ${process.versions.node}. Install a newer one: https://nodejs.org\n`,
    )
    return process.exit(1)
  }
  const child = spawn(node, [join(__dirname, '..', 'lib', 'cli', 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both of us; a supervisor only to us. The child decides how to end, we end alike.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    process.stderr.write(`Cannot start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]))
}

main()
