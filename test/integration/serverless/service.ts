// A copy of the service in a folder of its own, so that tests may add and break files, and the real `serverless` command in it: without
// credentials, without a home, and without a network that would answer.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Service {
  readonly folder: string
  path(file: string): string
  serverless(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>
  /** Resources of the compiled template, after `package`. */
  resources(): Readonly<Record<string, Resource>>
  remove(): void
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  /** stdout and stderr: osls prints errors to stdout where there is no terminal. */
  readonly output: string
}

export interface Resource {
  readonly Type: string
  readonly Properties: Readonly<Record<string, unknown>>
}

/** A fixed choice, so that a new sample changes no test. */
const sampleScenarios = ['large-transactions', 'next-best-action', 'telecom-campaign']

export function copyService(): Service {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-service-'))
  const functions = sampleScenarios.map(name => `functions/${name}.yml`)
  for (const part of ['infra', 'lib', 'events', 'serverless.yml', 'package.json', ...functions]) {
    cpSync(join(root, part), join(folder, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const path = (file: string) => join(folder, file)
  return {
    folder,
    path,
    serverless: (args, env = {}) =>
      run(join(root, 'node_modules/.bin/serverless'), args, { cwd: folder, env: { ...offline(folder), ...env } }),
    resources: () => JSON.parse(readFileSync(path('.serverless/cloudformation-template-update-stack.json'), 'utf8')).Resources,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function offline(home: string): Readonly<Record<string, string>> {
  return {
    PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`,
    HOME: home,
    AWS_EC2_METADATA_DISABLED: 'true',
    // Nobody listens there: whoever would call AWS fails.
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  }
}

function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      output += text
    })
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout, output }))
  })
}
