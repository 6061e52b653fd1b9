// A real Redis for tests: the machine's, or Debian's package, without starting Debian's own service. Valkey, too: the machine's, or Debian's
// backport, unpacked beside our other files.
import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installDebianPackages, mayInstallDebianPackages } from './debian.ts'
import { freePorts, sluiceFolder, startService, untilReady } from './process.ts'

export interface RedisOptions {
  readonly port?: number
  /** As on the command line: `--requirepass`, `secret`. */
  readonly settings?: readonly string[]
  /** Default: redis-server. */
  readonly command?: string
}

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

export async function startRedis(options: RedisOptions = {}): Promise<LocalRedis> {
  if (options.command === undefined) await installRedis()
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePorts(1))[0]!
    const name = randomUUID().slice(0, 8)
    const folder = join(sluiceFolder, 'run', `redis-${name}`)
    const logFile = join(sluiceFolder, 'log', `redis-${name}.log`)
    mkdirSync(folder, { recursive: true })
    const service = startService({
      command: options.command ?? 'redis-server',
      arguments: [
        ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
        ...(options.settings ?? []),
      ],
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

export interface LocalRedisCluster {
  /** The first node's. */
  readonly url: string
  /** Three primaries, each with a third of the slots. */
  readonly nodes: readonly LocalRedis[]
  stop(): Promise<void>
}

/** Three primaries without replicas; a cluster without one of them goes on with the rest. */
export async function startRedisCluster(options: RedisOptions = {}): Promise<LocalRedisCluster> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-require-full-coverage', 'no']
  const started = await Promise.allSettled(
    // The nodes speak to each other on another port, by default on one above 65,535 where ours is high.
    (await freePorts(3)).map(async bus =>
      startRedis({ ...options, settings: [...settings, '--cluster-port', String(bus), ...(options.settings ?? [])] }),
    ),
  )
  const nodes = started.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const stop = async () => void (await Promise.all(nodes.map(node => node.stop())))
  try {
    for (const outcome of started) if (outcome.status === 'rejected') throw outcome.reason
    const addresses = nodes.map(node => `127.0.0.1:${node.port}`)
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'])
  } catch (error) {
    await stop()
    throw error
  }
  return { url: nodes[0]!.url, nodes, stop }
}

/** The path of a valkey-server; undefined where this machine has none and cannot get one. */
export async function installValkey(): Promise<string | undefined> {
  if (runs('valkey-server')) return 'valkey-server'
  const folder = join(sluiceFolder, 'valkey')
  const server = join(folder, 'usr', 'bin', 'valkey-server')
  if (runs(server)) return server
  if (!existsSync('/usr/bin/apt-get')) return undefined
  // Lists and packages of its own: the machine's stay as they are.
  const apt = join(folder, 'apt')
  mkdirSync(join(apt, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(apt, 'cache', 'archives', 'partial'), { recursive: true })
  writeFileSync(join(apt, 'sources.list'), 'deb http://deb.debian.org/debian bookworm-backports main\n')
  const places = [
    ['Dir::Etc::sourcelist', join(apt, 'sources.list')],
    ['Dir::Etc::sourceparts', '/dev/null'],
    ['Dir::State::lists', join(apt, 'lists')],
    ['Dir::Cache', join(apt, 'cache')],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`])
  try {
    await run('apt-get', [...places, '-qq', 'update'], { cwd: apt })
    await run('apt-get', [...places, '-qq', 'download', 'valkey-server', 'valkey-tools'], { cwd: apt })
    for (const file of readdirSync(apt)) if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(apt, file), folder])
  } catch {
    return undefined
  }
  return runs(server) ? server : undefined
}

async function installRedis(): Promise<void> {
  if (runs('redis-server')) return
  const remedy = 'Install Redis 7, or set SLUICE_REDIS=redis://HOST:PORT.'
  if (!mayInstallDebianPackages()) throw new Error(`There is no redis-server on the PATH. ${remedy}`)
  try {
    await installDebianPackages(['redis-server'])
  } catch (error) {
    throw new Error(`Debian's package redis-server could not be installed. ${remedy}\n${(error as Error).message}`, {
      cause: error,
    })
  }
}

function runs(server: string): boolean {
  try {
    execFileSync(server, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
