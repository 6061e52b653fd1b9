// Look-ups by HTTP: one request per key (with `batch: array` one for all), as many at a time as a small service bears, over kept connections. 404
// means that there is nothing; 429 and 5xx are asked again after a random pause while there is time. Each request has its own outcome: what one
// address does not answer spoils no other, and a server that is dead is left alone while others are asked. Messages name the server alone: paths and queries hold customers' keys.
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import { type Breaker, createBreaker } from '../runtime/breaker.ts'
import { type Deadline, type LookupPort, type LookupRequest, RetryableError, Unanswered } from '../runtime/ports.ts'
import { backoffMs, inTurn, TimeUp, timeoutOf, unanswered } from './patience.ts'

export interface HttpConfig {
  readonly scenario: string
}

/** Requests at a time, for each server. */
const requestLimit = 32
const attempts = 3
const firstPauseMs = 50
/** A server that answered none of so many requests in a row is not asked again in this round trip. */
const hopelessAfter = 8
const longestAnswerBytes = 1024 * 1024
/** With `batch: array`; more go in several requests. */
const elementsPerRequest = 1000
const longestArrayBytes = 16 * 1024 * 1024
const advice =
  'If requests fail from the start, check the address, and that the function reaches it: security group, NAT, certificate.'

/** One request, and where its answers go. */
interface Question {
  readonly url: URL
  readonly init: RequestInit
  readonly places: readonly Place[]
  /** `batch: array`: the answer is an array with an element for each place. */
  readonly isArray: boolean
}

interface Place {
  readonly request: number
  readonly k: number
}

/** What is known of a server during one round trip. */
interface Server {
  readonly questions: Question[]
  /** It asked not to be asked before. */
  pausedUntilMs: number
  failuresInRow: number
  lastFailure: unknown
}

/** The service answers, but not with what was asked for. */
class Refused extends Error {}

export function connectHttp({ scenario }: HttpConfig): LookupPort {
  // Few: a host stands in the scenario without holes.
  const breakers = new Map<string, Breaker>()
  return { lookupMany, close: async () => undefined }

  function breakerOf(host: string): Breaker {
    const breaker = breakers.get(host) ?? createBreaker({ scenario, store: host, nowMs: () => performance.now() })
    breakers.set(host, breaker)
    return breaker
  }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly (LookupAnswer | Unanswered)[])[]> {
    const timeoutMs = timeoutOf(deadline)
    const endMs = performance.now() + timeoutMs
    const signal = AbortSignal.timeout(timeoutMs)
    const answers = requests.map(({ keys }): (LookupAnswer | Unanswered)[] => new Array(keys.length).fill(null))
    const servers = new Map<string, Server>()
    for (const question of questionsOf(requests, answers, signal)) {
      const server = servers.get(question.url.host) ?? {
        questions: [],
        pausedUntilMs: 0,
        failuresInRow: 0,
        lastFailure: undefined,
      }
      servers.set(question.url.host, server)
      server.questions.push(question)
    }
    const failures = await Promise.all([...servers].map(([host, server]) => failureOf(host, server)))
    // Nobody answered anything: the whole world of this look-up is broken, and whoever counts that must know.
    if (failures.length > 0 && failures.every(failure => failure !== undefined)) throw failures[0]
    return answers

    /** Undefined: it answered something. */
    async function failureOf(host: string, server: Server): Promise<RetryableError | undefined> {
      try {
        await breakerOf(host).call(() => askServer(host, server))
        return undefined
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        leaveOpen(server.questions, error)
        return error
      }
    }

    /** Throws where it answered nothing. */
    async function askServer(host: string, server: Server): Promise<void> {
      const failed: { readonly question: Question; readonly error: unknown }[] = []
      const tasks = server.questions.map(question => async () => {
        try {
          const found = await ask(question, server, { endMs, signal })
          question.places.forEach(({ request, k }, p) => {
            answers[request]![k] = found[p]!
          })
        } catch (error) {
          failed.push({ question, error: signal.aborted ? new TimeUp() : error })
        }
      })
      await inTurn(tasks, requestLimit)
      if (failed.length === 0) return
      const { error } = failed[0]!
      const questions = failed.map(({ question }) => question)
      const failure = unanswered(error, {
        store: 'http',
        scenario,
        keyCount: questions.reduce((sum, { places }) => sum + places.length, 0),
        address: host,
        timeoutMs,
        advice,
        ...(error instanceof Refused && { reason: error.message }),
      })
      if (failed.length === server.questions.length) throw failure
      leaveOpen(questions, failure)
    }

    function leaveOpen(questions: readonly Question[], failure: RetryableError): void {
      for (const { places } of questions) for (const { request, k } of places) answers[request]![k] = new Unanswered(failure)
    }
  }
}

function questionsOf(
  requests: readonly LookupRequest[],
  answers: readonly (LookupAnswer | Unanswered)[][],
  signal: AbortSignal,
): readonly Question[] {
  return requests.flatMap(({ command, keys }, request) => {
    if (command.kind !== 'request') throw new Error(`HTTP has no look-ups of the kind "${command.kind}"`)
    const single: Question[] = []
    const arrays = new Map<string, { readonly url: URL; readonly bodies: string[]; readonly places: Place[] }[]>()
    keys.forEach((key, k) => {
      const cut = command.method === 'POST' ? key.indexOf('\n') : -1
      const address = cut < 0 ? key : key.slice(0, cut)
      const body = cut < 0 ? '' : key.slice(cut + 1)
      const url = URL.canParse(address) ? new URL(address) : undefined
      if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
        answers[request]![k] = new WrongKind('no address: the key is no URL')
        return
      }
      if (command.batch === undefined) {
        single.push({ url, init: initOf(command, url, body, signal), places: [{ request, k }], isArray: false })
        return
      }
      const ofAddress = arrays.get(address) ?? []
      arrays.set(address, ofAddress)
      if (ofAddress.length === 0 || ofAddress.at(-1)!.places.length === elementsPerRequest)
        ofAddress.push({ url, bodies: [], places: [] })
      ofAddress.at(-1)!.bodies.push(body)
      ofAddress.at(-1)!.places.push({ request, k })
    })
    const batched = [...arrays.values()].flat().map(({ url, bodies, places }): Question => {
      return { url, init: initOf(command, url, `[${bodies.join(',')}]`, signal), places, isArray: true }
    })
    return [...single, ...batched]
  })
}

/** Takes the login out of the URL, since fetch refuses an address with a password in it. */
function initOf({ method }: { readonly method: 'GET' | 'POST' }, url: URL, body: string, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (url.username !== '' || url.password !== '') {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers['authorization'] = `Basic ${Buffer.from(login).toString('base64')}`
    url.username = ''
    url.password = ''
  }
  if (method === 'POST') headers['content-type'] = 'application/json'
  // A redirect may lead where the scenario's author never pointed, with the header that names the user.
  return { method, headers, signal, redirect: 'manual', ...(method === 'POST' && { body }) }
}

/** An answer for each place. Throws where the server gives none. */
async function ask(
  question: Question,
  server: Server,
  { endMs, signal }: { readonly endMs: number; readonly signal: AbortSignal },
): Promise<readonly LookupAnswer[]> {
  for (let attempt = 1; ; attempt++) {
    if (server.failuresInRow >= hopelessAfter) throw server.lastFailure
    const waitMs = server.pausedUntilMs - performance.now()
    // Not all of them at the same moment.
    if (waitMs > 0 && !(await pause(waitMs + backoffMs(0, firstPauseMs), { endMs, signal }))) throw server.lastFailure
    let pauseMs = backoffMs(attempt - 1, firstPauseMs)
    let failure: unknown
    try {
      const response = await fetch(question.url, question.init)
      const answers = await answersOf(response, question)
      if (answers !== undefined) {
        server.failuresInRow = 0
        return answers
      }
      failure = new Refused(`it answered ${response.status}`)
      const retryAfterMs = retryAfterMsOf(response.headers.get('retry-after'))
      if (retryAfterMs !== undefined) {
        // It holds for all that is asked there.
        server.pausedUntilMs = Math.max(server.pausedUntilMs, performance.now() + retryAfterMs)
        pauseMs += retryAfterMs
      }
    } catch (error) {
      // A kept connection that the other side has closed shows it only now; a look-up may be asked twice.
      failure = error
    }
    server.lastFailure = failure
    const isFinal = failure instanceof NotAsIs || attempt === attempts || signal.aborted
    if (isFinal || !(await pause(pauseMs, { endMs, signal }))) {
      server.failuresInRow++
      throw failure
    }
  }
}

/** Asking again would change nothing: a login that is wanted, an address elsewhere. */
class NotAsIs extends Refused {}

/** False where the pause would end after the time. */
async function pause(
  pauseMs: number,
  { endMs, signal }: { readonly endMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  if (performance.now() + pauseMs >= endMs) return false
  await new Promise(resolve => setTimeout(resolve, pauseMs))
  return !signal.aborted
}

/** Seconds, or a date. */
function retryAfterMsOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const afterMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(afterMs) ? undefined : Math.max(0, afterMs)
}

/** Undefined: the server is not well (429, 5xx), and may be asked again. */
async function answersOf(response: Response, { places, isArray }: Question): Promise<readonly LookupAnswer[] | undefined> {
  const { status } = response
  const forAll = (answer: LookupAnswer) => places.map(() => answer)
  if (status >= 200 && status <= 299) {
    const text = await textOf(response, isArray ? longestArrayBytes : longestAnswerBytes)
    if (!isArray) return [text]
    return text instanceof WrongKind ? forAll(text) : elementsOf(text, places.length)
  }
  await response.body?.cancel()
  // That an array of customers is not there can only be said of the address.
  if ((status === 404 || status === 410) && !isArray) return forAll(null)
  // A matter of this key where the service calls the request bad; of the configuration where it wants a login or sends elsewhere.
  if (status === 400 || status === 422) return forAll(new WrongKind(`an answer with the status ${status}`))
  if (status === 429 || status >= 500) return undefined
  throw new NotAsIs(`it answered ${status}`)
}

async function textOf(response: Response, longestBytes: number): Promise<string | null | WrongKind> {
  if (response.body === null || response.status === 204) return null
  const chunks: Uint8Array[] = []
  let byteCount = 0
  for await (const chunk of response.body) {
    byteCount += chunk.length
    if (byteCount > longestBytes) return new WrongKind(`an answer of more than ${longestBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    return new WrongKind('bytes that are not UTF-8')
  }
}

/** The texts of an array's elements, null where there is nothing. Texts and not values: the declared type decides how a number is read. */
function elementsOf(text: string | null, count: number): readonly LookupAnswer[] {
  const texts = text === null ? undefined : arrayTexts(text)
  if (texts?.length === count) return texts.map(element => (element === 'null' ? null : element))
  const found = new WrongKind(texts === undefined ? 'no JSON array' : `an array of ${texts.length} elements for ${count}`)
  return Array.from({ length: count }, () => found)
}

function arrayTexts(text: string): readonly string[] | undefined {
  try {
    if (!Array.isArray(JSON.parse(text))) return undefined
  } catch {
    return undefined
  }
  // It is JSON, so commas between brackets are all that needs to be found.
  const texts: string[] = []
  let depth = 0
  let start = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]+|\\.)*"|[[\]{},]/g)) {
    if (token === '[' || token === '{') {
      if (depth++ === 0) start = index + 1
    } else if (token === ']' || token === '}') depth--
    if ((token === ',' && depth === 1) || (token === ']' && depth === 0)) {
      texts.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  return texts.length === 1 && texts[0] === '' ? [] : texts
}
