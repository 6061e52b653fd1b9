// Look-ups by HTTP: one request per key (with `batch: array` one for all), as many at a time as a small service bears, over kept connections. 404
// means that there is nothing; 429 and 5xx are asked again after a random pause while there is time. Each request has its own time and outcome: what
// one address does not answer spoils no other, and a server that is dead, or wants to be left alone, is, while others are asked. Messages name the
// server alone: paths and queries hold customers' keys.
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

/** A server's wish to be left alone is kept for so long at most: a slip of it should not outlive the day. */
const longestPauseMs = 15 * 60_000

/** One request, and where its answers go. */
interface Question {
  readonly url: URL
  readonly init: RequestInit
  readonly places: readonly Place[]
  /** `batch: array`: a text for each place; the answer is an array with an element for each. */
  readonly bodies?: readonly string[]
  readonly time: Time
}

interface Place {
  readonly request: number
  readonly k: number
}

/** How long requests of one look-up may take, from the beginning of the round trip. */
interface Time {
  readonly timeoutMs: number
  readonly endMs: number
  readonly signal: AbortSignal
}

/** What is known of a server, over round trips. */
interface Server {
  readonly breaker: Breaker
  /** It asked not to be asked before. */
  pausedUntilMs: number
  /** With this status. */
  pausedBy: number
}

/** What is known of a server during one round trip. */
interface Asked {
  readonly server: Server
  readonly questions: Question[]
  failuresInRow: number
  lastFailure: unknown
}

/** The service answers, but not with what was asked for. */
class Refused extends Error {}

export function connectHttp({ scenario }: HttpConfig): LookupPort {
  // Few: a host stands in the scenario without holes.
  const servers = new Map<string, Server>()
  return { lookupMany, close: async () => undefined }

  function serverOf(host: string): Server {
    const breaker = () => createBreaker({ scenario, store: host, nowMs: () => performance.now() })
    const server = servers.get(host) ?? { breaker: breaker(), pausedUntilMs: 0, pausedBy: 0 }
    servers.set(host, server)
    return server
  }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly (LookupAnswer | Unanswered)[])[]> {
    const answers = requests.map(({ keys }): (LookupAnswer | Unanswered)[] => new Array(keys.length).fill(null))
    const byHost = new Map<string, Asked>()
    for (const question of questionsOf(requests, answers, timesOf(requests, deadline))) {
      const { host } = question.url
      const asked = byHost.get(host) ?? { server: serverOf(host), questions: [], failuresInRow: 0, lastFailure: undefined }
      byHost.set(host, asked)
      asked.questions.push(question)
    }
    await Promise.all([...byHost].map(([host, asked]) => answerAll(host, asked)))
    return answers

    async function answerAll(host: string, asked: Asked): Promise<void> {
      const { server } = asked
      const early = asked.questions.filter(({ time }) => time.endMs <= server.pausedUntilMs)
      // Not asked, as it wished: no failure that the breaker should count.
      if (early.length > 0) leaveOpen(host, early, new Refused(pauseReason(server)))
      const questions = asked.questions.filter(({ time }) => time.endMs > server.pausedUntilMs)
      if (questions.length === 0) return
      let isAsked = false
      try {
        await server.breaker.call(() => {
          isAsked = true
          return askServer(host, { ...asked, questions })
        })
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        if (!isAsked) leaveOpen(host, questions, error)
      }
    }

    /** Throws where it answered nothing. */
    async function askServer(host: string, asked: Asked): Promise<void> {
      const failed = new Map<Time, { readonly questions: Question[]; readonly error: unknown }>()
      let failedCount = 0
      const tasks = asked.questions.map(question => async () => {
        const { time } = question
        try {
          const found = await ask(question, asked)
          question.places.forEach(({ request, k }, p) => {
            answers[request]![k] = found[p]!
          })
        } catch (error) {
          failedCount++
          const alike = failed.get(time) ?? { questions: [], error: time.signal.aborted ? new TimeUp() : error }
          failed.set(time, alike)
          alike.questions.push(question)
        }
      })
      await inTurn(tasks, requestLimit)
      const failures = [...failed.values()].map(({ questions, error }) => leaveOpen(host, questions, error))
      if (failedCount === asked.questions.length) throw failures[0]!
    }

    /** Questions that may take the same time. */
    function leaveOpen(host: string, questions: readonly Question[], error: unknown): RetryableError {
      const failure = unanswered(error, {
        store: 'http',
        scenario,
        keyCount: questions.reduce((sum, { places }) => sum + places.length, 0),
        address: host,
        timeoutMs: questions[0]!.time.timeoutMs,
        advice,
        ...(error instanceof Refused && { reason: error.message }),
      })
      for (const { places } of questions) for (const { request, k } of places) answers[request]![k] = new Unanswered(failure)
      return failure
    }
  }
}

/** By request; look-ups that may take equally long share theirs. */
function timesOf(requests: readonly LookupRequest[], deadline: Deadline): readonly Time[] {
  const times = new Map<number, Time>()
  return requests.map(request => {
    const timeoutMs = timeoutOf(deadline, [request])
    const time = times.get(timeoutMs) ?? {
      timeoutMs,
      endMs: performance.now() + timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
    }
    times.set(timeoutMs, time)
    return time
  })
}

function questionsOf(
  requests: readonly LookupRequest[],
  answers: readonly (LookupAnswer | Unanswered)[][],
  times: readonly Time[],
): readonly Question[] {
  return requests.flatMap(({ command, keys }, request) => {
    if (command.kind !== 'request') throw new Error(`HTTP has no look-ups of the kind "${command.kind}"`)
    const time = times[request]!
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
        single.push({ url, init: initOf(command, url, body, time), places: [{ request, k }], time })
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
      return { url, init: initOf(command, url, arrayOf(bodies), time), places, bodies, time }
    })
    return [...single, ...batched]
  })
}

const arrayOf = (bodies: readonly string[]) => `[${bodies.join(',')}]`

/** Takes the login out of the URL, since fetch refuses an address with a password in it. */
function initOf({ method }: { readonly method: 'GET' | 'POST' }, url: URL, body: string, { signal }: Time): RequestInit {
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
async function ask(question: Question, asked: Asked): Promise<readonly LookupAnswer[]> {
  const { time } = question
  const { server } = asked
  for (let attempt = 1; ; attempt++) {
    if (asked.failuresInRow >= hopelessAfter) throw asked.lastFailure
    const waitMs = server.pausedUntilMs - performance.now()
    // Not all of them at the same moment.
    if (waitMs > 0 && !(await pause(waitMs + backoffMs(0, firstPauseMs), time)))
      throw asked.lastFailure ?? new Refused(pauseReason(server))
    let pauseMs = backoffMs(attempt - 1, firstPauseMs)
    let answers: Awaited<ReturnType<typeof answersOf>> = 'again'
    let failure: unknown
    try {
      const response = await fetch(question.url, question.init)
      answers = await answersOf(response, question)
      if (answers === 'again') {
        failure = new Refused(`it answered ${response.status}`)
        const retryAfterMs = retryAfterMsOf(response.headers.get('retry-after'))
        // It holds for all that is asked there, also in later round trips.
        server.pausedUntilMs = Math.max(server.pausedUntilMs, performance.now() + retryAfterMs)
        server.pausedBy = response.status
        pauseMs += retryAfterMs
      }
    } catch (error) {
      // A kept connection that the other side has closed shows it only now; a look-up may be asked twice.
      failure = error
    }
    if (answers === 'too much at once') return inHalves(question, asked)
    if (answers !== 'again') {
      asked.failuresInRow = 0
      return answers
    }
    asked.lastFailure = failure
    const isFinal = failure instanceof NotAsIs || attempt === attempts || time.signal.aborted
    if (isFinal || !(await pause(pauseMs, time))) {
      asked.failuresInRow++
      throw failure
    }
  }
}

/** An array that is too long for the service says nothing of a single record. */
async function inHalves(question: Question, asked: Asked): Promise<readonly LookupAnswer[]> {
  const { places, bodies, init } = question
  const middle = places.length >> 1
  const found: LookupAnswer[] = []
  for (const [start, end] of [
    [0, middle],
    [middle, places.length],
  ] as const) {
    const part = bodies!.slice(start, end)
    const half = { ...question, init: { ...init, body: arrayOf(part) }, places: places.slice(start, end), bodies: part }
    found.push(...(await ask(half, asked)))
  }
  return found
}

function pauseReason({ pausedUntilMs, pausedBy }: Server): string {
  const seconds = Math.ceil((pausedUntilMs - performance.now()) / 1000)
  return `it answered ${pausedBy} and wants to be left alone for another ${seconds} s`
}

/** Asking again in this round trip would change nothing: a login that is wanted, an address elsewhere. */
class NotAsIs extends Refused {}

/** False where the pause would end after the time. */
async function pause(pauseMs: number, { endMs, signal }: Time): Promise<boolean> {
  if (performance.now() + pauseMs >= endMs) return false
  await new Promise(resolve => setTimeout(resolve, pauseMs))
  return !signal.aborted
}

/** Seconds, or a date; 0 where there is neither. */
function retryAfterMsOf(header: string | null): number {
  if (header === null) return 0
  const afterMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(afterMs) ? 0 : Math.min(longestPauseMs, Math.max(0, afterMs))
}

/** Too early (RFC 8470), too often, too slowly sent: the same may be answered a moment later. */
const againStatuses = [408, 425, 429]

/** Who asks is the configuration's matter and no record's. (407 never gets here: to fetch it is an error of the network.) */
const loginStatuses = [401, 403]

/** `again`: the server is not well. Throws NotAsIs where no record is to blame. */
async function answersOf(
  response: Response,
  { places, bodies }: Question,
): Promise<readonly LookupAnswer[] | 'again' | 'too much at once'> {
  const { status } = response
  const isArray = bodies !== undefined
  const forAll = (answer: LookupAnswer) => places.map(() => answer)
  if (status >= 200 && status <= 299) {
    const text = await textOf(response, isArray ? longestArrayBytes : longestAnswerBytes)
    if (!isArray) return [text]
    return text instanceof WrongKind ? forAll(text) : elementsOf(text, places.length)
  }
  await response.body?.cancel()
  if (status === 404 || status === 410) {
    // That an array of customers is not there can only be said of the address.
    if (isArray) throw new NotAsIs(`it answered ${status}`)
    return forAll(null)
  }
  if (status >= 500 || againStatuses.includes(status)) return 'again'
  if (status < 400 || loginStatuses.includes(status)) throw new NotAsIs(`it answered ${status}`)
  if (status === 413 && places.length > 1) return 'too much at once'
  // All else is said of what was asked: a record's key or body that the service does not take must not stop the stream.
  return forAll(new WrongKind(`an answer with the status ${status}`))
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
