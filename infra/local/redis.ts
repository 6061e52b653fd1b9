// A real Redis for tests: the machine's, or Debian's package, without starting Debian's own service.
import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts, sluiceFolder, startService, untilReady } from './process.ts'

export interface LocalRedis {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
  kill(): Promise<void>
  freeze(): void
  thaw(): void
}

const run = promisify(execFile)
const startAttempts = 3

export async function startRedis(options: { readonly port?: number } = {}): Promise<LocalRedis> {
  await installRedis()
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePorts(1))[0]!
    const name = randomUUID().slice(0, 8)
    const folder = join(sluiceFolder, 'run', `redis-${name}`)
    const logFile = join(sluiceFolder, 'log', `redis-${name}.log`)
    mkdirSync(folder, { recursive: true })
    const service = startService({
      command: 'redis-server',
      arguments: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
      logFile,
      abandonedFolder: folder,
    })
    try {
      await untilReady('Redis', service, {
        logFile,
        timeoutMs: 15_000,
        ready: log => log.includes('Ready to accept connections'),
      })
    } catch (error) {
      // Somebody else may have taken the port since we saw it free.
      if (attempt === startAttempts || options.port !== undefined) throw error
      continue
    }
    // Nothing of it is kept: there is no difference between an orderly end and another.
    const end = async () => {
      await service.kill()
      rmSync(folder, { recursive: true, force: true })
    }
    return {
      url: `redis://127.0.0.1:${port}`,
      port,
      pid: service.pid,
      stop: end,
      kill: end,
      freeze: () => process.kill(service.pid, 'SIGSTOP'),
      thaw: () => process.kill(service.pid, 'SIGCONT'),
    }
  }
}

async function installRedis(): Promise<void> {
  if (hasRedis()) return
  const remedy = 'Install Redis 7, or set SLUICE_REDIS=redis://HOST:PORT.'
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    throw new Error(`There is no redis-server on the PATH. ${remedy}`)
  // Debian starts a service as it installs it, unless this file forbids it; the port 6379 is not ours to take.
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['-o', 'DPkg::Lock::Timeout=120', '-qq', '-y', '--no-install-recommends', 'install', 'redis-server']
    try {
      await run('apt-get', install, { env: environment })
    } catch {
      // A machine's package lists may be absent or too old to find the version they name.
      await run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-qq', 'update'], { env: environment })
      await run('apt-get', install, { env: environment })
    }
  } catch (error) {
    throw new Error(`Debian's package redis-server could not be installed. ${remedy}\n${(error as Error).message}`, {
      cause: error,
    })
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
}

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
