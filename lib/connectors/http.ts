// Look-ups by HTTP: one request per key, as many at a time as a small service bears, over kept connections. 404 means that there is nothing;
// 429 and 5xx are asked again after a random pause while there is time. Messages name the server alone: paths and queries hold customers' keys.
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import type { Deadline, LookupPort, LookupRequest } from '../runtime/ports.ts'
import { backoffMs, inTurn, TimeUp, timeoutOf, unanswered } from './patience.ts'

export interface HttpConfig {
  readonly scenario: string
}

const requestLimit = 32
const attempts = 3
const firstPauseMs = 50
const longestAnswerBytes = 1024 * 1024
const advice =
  'If requests fail from the start, check the address, and that the function reaches it: security group, NAT, certificate.'

interface Question {
  readonly url: URL
  readonly init: RequestInit
}

/** The service answers, but not with what was asked for. */
class Refused extends Error {}

export function connectHttp({ scenario }: HttpConfig): LookupPort {
  return { lookupMany, close: async () => undefined }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = timeoutOf(deadline)
    const answers = requests.map(({ keys }): LookupAnswer[] => new Array(keys.length).fill(null))
    const endMs = performance.now() + timeoutMs
    const timeUp = AbortSignal.timeout(timeoutMs)
    // The first failure ends the others: their answers would come for nobody.
    const abort = new AbortController()
    const signal = AbortSignal.any([timeUp, abort.signal])
    const questions = requests.flatMap(({ command, keys }, request) =>
      keys.map((key, k) => ({ request, k, question: questionOf(command, key, signal) })),
    )
    let address = ''
    try {
      await inTurn(
        questions.map(({ request, k, question }) => async () => {
          try {
            answers[request]![k] =
              question === undefined ? new WrongKind('no address: the key is no URL') : await ask(question, endMs)
          } catch (error) {
            address ||= question?.url.host ?? ''
            throw error
          }
        }),
        requestLimit,
      )
    } catch (error) {
      abort.abort()
      throw unanswered(timeUp.aborted ? new TimeUp() : error, {
        store: 'http',
        scenario,
        keyCount: questions.length,
        address,
        timeoutMs,
        advice,
        ...(error instanceof Refused && { reason: error.message }),
      })
    }
    return answers
  }
}

function questionOf(command: LookupRequest['command'], key: string, signal: AbortSignal): Question | undefined {
  if (command.kind !== 'request') throw new Error(`HTTP has no look-ups of the kind "${command.kind}"`)
  const cut = command.method === 'POST' ? key.indexOf('\n') : -1
  const address = cut < 0 ? key : key.slice(0, cut)
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  const headers: Record<string, string> = { accept: 'application/json' }
  if (url.username !== '' || url.password !== '') {
    // fetch refuses an address with a password in it.
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers['authorization'] = `Basic ${Buffer.from(login).toString('base64')}`
    url.username = ''
    url.password = ''
  }
  if (command.method === 'POST') headers['content-type'] = 'application/json'
  return {
    url,
    init: {
      method: command.method,
      headers,
      signal,
      // A redirect may lead where the scenario's author never pointed, with the header that names the user.
      redirect: 'manual',
      ...(command.method === 'POST' && { body: cut < 0 ? '' : key.slice(cut + 1) }),
    },
  }
}

async function ask({ url, init }: Question, endMs: number): Promise<LookupAnswer> {
  for (let attempt = 1; ; attempt++) {
    let pauseMs = backoffMs(attempt - 1, firstPauseMs)
    let failure: unknown
    try {
      const response = await fetch(url, init)
      const { status } = response
      if (status >= 200 && status <= 299) return await textOf(response)
      await response.body?.cancel()
      if (status === 404 || status === 410) return null
      failure = new Refused(`it answered ${status}`)
      if (status !== 429 && status < 500) {
        // A matter of this key where the service calls the request bad; of the configuration where it wants a login or sends elsewhere.
        if (status === 400 || status === 422) return new WrongKind(`an answer with the status ${status}`)
        throw new Refused(`it answered ${status}`)
      }
      const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN)
      if (retryAfterSeconds >= 0) pauseMs = Math.max(pauseMs, retryAfterSeconds * 1000)
    } catch (error) {
      if (error instanceof Refused || init.signal?.aborted) throw error
      // A kept connection that the other side has closed shows it only now; a look-up may be asked twice.
      failure = error
    }
    if (attempt === attempts || performance.now() + pauseMs >= endMs) throw failure
    await new Promise(resolve => setTimeout(resolve, pauseMs))
    if (init.signal?.aborted) throw failure
  }
}

async function textOf(response: Response): Promise<LookupAnswer> {
  if (response.body === null || response.status === 204) return null
  const chunks: Uint8Array[] = []
  let byteCount = 0
  for await (const chunk of response.body) {
    byteCount += chunk.length
    if (byteCount > longestAnswerBytes) return new WrongKind(`an answer of more than ${longestAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    return new WrongKind('bytes that are not UTF-8')
  }
}
