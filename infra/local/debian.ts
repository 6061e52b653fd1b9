// Debian's packages, for what tests need of the machine itself: without the services that come with them.
import { execFile } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** As root, on Debian and what descends from it. */
export function mayInstallDebianPackages(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

export async function installDebianPackages(names: readonly string[]): Promise<void> {
  // Debian starts a service as it installs it, unless this file forbids it; its port is not ours to take.
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['-o', 'DPkg::Lock::Timeout=120', '-qq', '-y', '--no-install-recommends', 'install', ...names]
    try {
      await run('apt-get', install, { env: environment })
    } catch {
      // A machine's package lists may be absent or too old to find the version they name.
      await run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-qq', 'update'], { env: environment })
      await run('apt-get', install, { env: environment })
    }
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
}
