// A real Apache Ignite node for tests, from Maven's jars, launched from one source file of Java.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts, sluiceFolder, startService, untilReady } from './process.ts'

export interface LocalIgnite {
  /** host:port of thin clients. */
  readonly address: string
  /** host:port where it answers to Redis' protocol, wrongly. */
  readonly redisAddress: string
  /** The user that there is from the start. */
  readonly user: { readonly name: string; readonly password: string }
  stop(): Promise<void>
}

/** What the cache "profiles" holds. */
export type IgniteContent = Readonly<Record<string, string | number | readonly string[] | { readonly [field: string]: string }>>

/** A PKCS #12 file with the server's key and certificate. */
export interface IgniteKeyStore {
  readonly file: string
  readonly password: string
}

const here = dirname(fileURLToPath(import.meta.url))
const run = promisify(execFile)

/** `tls`: thin clients must speak it. */
export async function startIgnite(content: IgniteContent, tls?: IgniteKeyStore): Promise<LocalIgnite> {
  const jars = await classPath()
  const name = randomUUID().slice(0, 8)
  const folder = join(sluiceFolder, 'run', `ignite-${name}`)
  const logFile = join(sluiceFolder, 'log', `ignite-${name}.log`)
  mkdirSync(folder, { recursive: true })
  const contentFile = join(folder, 'content')
  writeFileSync(contentFile, Object.entries(content).map(lineOf).join('\n'))
  const ports = await freePorts(4)
  const service = startService({
    command: 'java',
    arguments: [
      ...javaFlags,
      '-cp',
      jars,
      join(here, 'LocalIgnite.java'),
      ...ports.map(String),
      folder,
      contentFile,
      ...(tls ? [tls.file, tls.password] : []),
    ],
    logFile,
    abandonedFolder: folder,
  })
  await untilReady('Ignite', service, { logFile, timeoutMs: 60_000, ready: log => log.includes('LocalIgnite is ready') })
  return {
    address: `127.0.0.1:${ports[0]}`,
    redisAddress: `127.0.0.1:${ports[1]}`,
    user: { name: 'ignite', password: 'ignite' },
    async stop() {
      await service.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function lineOf([key, value]: [string, IgniteContent[string]]): string {
  const [kind, values] =
    typeof value === 'string'
      ? ['s', [value]]
      : typeof value === 'number'
        ? ['i', [String(value)]]
        : Array.isArray(value)
          ? ['c', value as readonly string[]]
          : ['m', Object.entries(value).flat()]
  return [kind, ...[key, ...values].map(text => Buffer.from(text).toString('base64'))].join('\t')
}

async function classPath(): Promise<string> {
  const file = join(sluiceFolder, 'ignite-2.18.0.classpath')
  if (!existsSync(file)) {
    mkdirSync(sluiceFolder, { recursive: true })
    const own = `${file}.${process.pid}`
    await run('mvn', ['-B', '-q', '-f', join(here, 'ignite.xml'), 'dependency:build-classpath', `-Dmdep.outputFile=${own}`])
    renameSync(own, file)
  }
  return readFileSync(file, 'utf8').trim()
}

// Ignite reaches into Java's own packages; these are the ones that it names in its start script.
const opened = [
  'java.base/jdk.internal.access',
  'java.base/jdk.internal.misc',
  'java.base/sun.nio.ch',
  'java.base/sun.util.calendar',
  'java.management/com.sun.jmx.mbeanserver',
  'java.base/sun.reflect.generics.reflectiveObjects',
  'jdk.management/com.sun.management.internal',
  'java.base/java.io',
  'java.base/java.nio',
  'java.base/java.net',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.locks',
  'java.base/java.util.concurrent.atomic',
  'java.base/java.lang',
  'java.base/java.lang.invoke',
  'java.base/java.math',
  'java.base/java.time',
  'java.base/java.text',
  'java.sql/java.sql',
  'java.management/sun.management',
]
const javaFlags = [
  '-Xms64m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-DIGNITE_QUIET=true',
  '-DIGNITE_UPDATE_NOTIFIER=false',
  '-DIGNITE_NO_ASCII=true',
  '-Djava.net.preferIPv4Stack=true',
  ...opened.map(name => `--add-opens=${name}=ALL-UNNAMED`),
]
