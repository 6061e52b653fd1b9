// Starts a service that never outlives us. Exit handlers cannot promise that (SIGKILL runs none), so a tiny shell waits on a pipe whose
// other end only we hold: when we end, however that happens, the pipe closes and the shell kills the service and removes its data.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Service {
  readonly pid: number
  readonly exited: Promise<void>
  running(): boolean
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>
  kill(): Promise<void>
}

export interface ServiceOptions {
  readonly command: string
  readonly arguments: readonly string[]
  readonly logFile: string
  /** Removed when we end while the service runs. */
  readonly abandonedFolder?: string | undefined
  readonly environment?: Readonly<Record<string, string>>
}

/** The checkout's ignored folder: services keep everything here. */
export const sluiceFolder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '.sluice')

export function startService(options: ServiceOptions): Service {
  mkdirSync(dirname(options.logFile), { recursive: true })
  const log = openSync(options.logFile, 'w')
  // An own process group: Ctrl-C in the terminal reaches only us, and we stop the services in order.
  const child = spawn(options.command, [...options.arguments], {
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...process.env, ...options.environment },
  })
  closeSync(log)
  let running = true
  const exited = new Promise<void>(resolve => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  }).then(() => {
    running = false
    // It must not see the pipe close: it would take that for our end, and remove data that a restart needs.
    if (guard?.pid !== undefined) killGroup(guard.pid)
  })
  const guard = child.pid === undefined ? undefined : startGuard(child.pid, options.abandonedFolder)
  child.unref()
  return {
    pid: child.pid ?? -1,
    exited,
    running: () => running,
    async stop(graceMs = 2000) {
      if (!running) return
      child.kill('SIGTERM')
      await Promise.race([exited, sleep(graceMs, undefined, { ref: true })])
      await this.kill()
    },
    async kill() {
      if (!running) return
      child.ref()
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Waits until `ready` says yes; throws with the end of the log if the service ends or time is up. */
export async function untilReady(
  name: string,
  service: Service,
  options: { readonly logFile: string; readonly timeoutMs: number; readonly ready: (log: string) => boolean },
): Promise<void> {
  const endMs = Date.now() + options.timeoutMs
  for (;;) {
    const log = readFileSync(options.logFile, 'utf8')
    if (options.ready(log)) return
    if (!service.running() || Date.now() > endMs) {
      const why = service.running() ? `was not ready within ${options.timeoutMs} ms` : 'ended while it was starting'
      await service.kill()
      const tail = log.split('\n').slice(-15).join('\n')
      throw new Error(`${name} ${why}. The end of its log, ${options.logFile}:\n${tail}`)
    }
    await sleep(30)
  }
}

/**
 * Below those that systems give to connections (Linux from 32,768 on, others from 49,152): there a port that is closed for a while, as of a broker
 * that was killed, may be some connection's own when it is wanted again.
 */
const listeningPorts = { first: 20_000, count: 12_000 }

// Not from the first on, since others look for ports at the same time; and none twice, since who was given one may start later.
let nextPort = Math.floor(Math.random() * listeningPorts.count)

/** Ports that were free a moment ago; whoever takes one in between makes the start fail, and the caller asks again. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers: Server[] = []
  try {
    for (let tried = 0; servers.length < count; tried++) {
      if (tried === listeningPorts.count) throw new Error(`of ${listeningPorts.count} ports ${count} are not free`)
      const server = await listening(listeningPorts.first + (nextPort++ % listeningPorts.count))
      if (server !== undefined) servers.push(server)
    }
    return servers.map(server => (server.address() as { port: number }).port)
  } finally {
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  }
}

/** Undefined: somebody listens there. */
function listening(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function startGuard(pid: number, abandonedFolder: string | undefined): ChildProcess {
  // The service cannot have ended by itself before us: then the guard would be gone, too.
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; [ -n "$2" ] && sleep 0.2 && rm -rf "$2"; exit 0'
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(pid), abandonedFolder ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  ;(guard.stdin as unknown as { unref?: () => void }).unref?.()
  return guard
}
