// The inside of a container: loads the bundled function as Lambda's runtime client does and calls its handler, one event at a time.
// Runs as a child process of its own (container.ts is the outside); speaks with it over the IPC channel, so that stdout stays the log.
import { pathToFileURL } from 'node:url'
import type { FromHost, FunctionError, ToHost } from './container.ts'

type Handler = (event: unknown, context: object) => unknown

const handlerFile = process.argv[2]!
process.on('message', (message: ToHost) => {
  if (message.kind === 'invoke') void invoke(message)
})
// The parent is gone: nobody will ever ask again.
process.on('disconnect', () => process.exit(0))

// Loading starts at once, as in Lambda's init phase; an error in it is the answer to the first invocation.
const handler = import(pathToFileURL(handlerFile).href).then((module: { handler?: Handler }) => {
  if (typeof module.handler !== 'function') throw new TypeError(`${handlerFile} does not export "handler"`)
  return module.handler
})
handler.then(
  () => send({ kind: 'ready' }),
  () => send({ kind: 'ready' }),
)

async function invoke(message: ToHost & { kind: 'invoke' }): Promise<void> {
  try {
    const response = await (await handler)(JSON.parse(message.event), contextOf(message))
    // What JSON cannot carry never reaches the mapping.
    send({ kind: 'result', response: JSON.stringify(response) ?? 'null' })
  } catch (thrown) {
    send({ kind: 'error', error: describe(thrown) })
  }
}

function contextOf({ requestId, deadlineMs, memoryMb }: ToHost & { kind: 'invoke' }): object {
  const functionName = process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'function'
  return {
    awsRequestId: requestId,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:000000000000:function:${functionName}`,
    memoryLimitInMB: String(memoryMb),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    // Lambda's clock goes on while the process is frozen, so this is wall time.
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  }
}

function describe(thrown: unknown): FunctionError {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] }
  return { errorType: thrown.name, errorMessage: thrown.message, trace: (thrown.stack ?? '').split('\n') }
}

function send(message: FromHost): void {
  process.send?.(message)
}
