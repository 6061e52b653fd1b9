// The look-ups of a stage as Redis reads them, and its replies as answers. Texts are read in groups: MGET alone answers a hash or a set under a
// key as if nothing were there, so a transaction asks how many of the keys exist and then for their texts. Where the numbers agree, what
// is not there is not there; where they do not, some key holds another kind of data, and those without a text are asked one by one, by GET, which
// says so. A server has a sixth less work with a group than with a GET for each key (lib/connectors/README.md has the figures).
import { type LookupAnswer, type LookupCommand, WrongKind } from '../../plan/plan.ts'
import type { LookupRequest } from '../../runtime/ports.ts'
import { bulk, type Commands, encode } from './commands.ts'
import { NotText, type Reply, ReplyError } from './replies.ts'

export interface Reading {
  readonly commands: Commands
  /** What the reply to this command answers already. Refusals of the server are left to `end`: it may be another node that has the key. */
  early(index: number, reply: Reply, accept: AcceptAnswer): void
  /** What all replies answer together; gives what must be asked one by one. Throws a ReplyError that is no answer. */
  end(replies: readonly Reply[], accept: AcceptAnswer): Rest
}

/** The answer to the `position`-th key of a request. */
export type AcceptAnswer = (request: number, position: number, answer: LookupAnswer) => void

export interface Rest {
  readonly places: readonly Place[]
  /** The server, or who stands before it, does not take groups. */
  readonly refusesGroups: boolean
}

interface Place {
  readonly request: number
  readonly position: number
}

/** The positions of one request from `from` to `to`; its first command is the `first`-th of all. */
interface Span {
  readonly request: number
  readonly from: number
  readonly to: number
  readonly first: number
  readonly isGroup: boolean
}

/** Small enough that the function decodes a group while the server reads the next: 64 took 5 % longer, 128 10 %. */
const groupSize = 32
/** Below, the four commands of a group cost more than they save. */
const smallestGroup = 16
const commandsOfGroup = 4
const [beginning, ending] = [encode('MULTI'), encode('EXEC')]

/** `inGroups`: only where all keys lie on one server. */
export function readingOf(requests: readonly LookupRequest[], inGroups: boolean): Reading {
  const spans: Span[] = []
  let count = 0
  for (const [request, { command, keys }] of requests.entries()) {
    const isGrouped = inGroups && command.kind === 'string' && keys.length >= smallestGroup
    const size = isGrouped ? groupSize : keys.length
    for (let from = 0; from < keys.length; from += size) {
      const to = Math.min(from + size, keys.length)
      spans.push({ request, from, to, first: count, isGroup: isGrouped })
      count += isGrouped ? commandsOfGroup : to - from
    }
  }
  const parts = requests.map(({ command }) => partsOf(command))
  let near = 0
  /** Commands are asked for in order, so it is this span or the next. */
  const spanAt = (index: number): Span => {
    if (index < spans[near]!.first) near = 0
    while (near + 1 < spans.length && index >= spans[near + 1]!.first) near++
    return spans[near]!
  }
  let words = ''
  return {
    commands: {
      count,
      textOf(index) {
        const { request, from, to, first, isGroup } = spanAt(index)
        const { keys, members } = requests[request]!
        if (!isGroup) {
          const { head, tail } = parts[request]!
          const position = from + index - first
          return head + bulk(keys[position]!) + (members === undefined ? tail : bulk(members[position]!))
        }
        switch (index - first) {
          case 0:
            words = ''
            for (let position = from; position < to; position++) words += bulk(keys[position]!)
            return beginning
          case 1:
            return `*${1 + to - from}\r\n$6\r\nEXISTS\r\n${words}`
          case 2:
            return `*${1 + to - from}\r\n$4\r\nMGET\r\n${words}`
          default:
            return ending
        }
      },
      keyOf(index) {
        const { request, from, first, isGroup } = spanAt(index)
        return requests[request]!.keys[isGroup ? from : from + index - first]
      },
      wholeOf: () => undefined,
    },
    early(index, reply, accept) {
      if (reply instanceof ReplyError) return
      const { request, from, first, isGroup } = spanAt(index)
      if (!isGroup) accept(request, from + index - first, answerOf(requests[request]!.command, reply))
      else if (index - first === commandsOfGroup - 1) {
        for (const [k, text] of textsOf(reply).entries()) if (text !== undefined) accept(request, from + k, text)
      }
    },
    end(replies, accept) {
      const places: Place[] = []
      let refusesGroups = false
      for (const { request, from, to, first, isGroup } of spans) {
        if (!isGroup) {
          const { command } = requests[request]!
          for (let k = 0; k < to - from; k++) accept(request, from + k, answerOf(command, replies[first + k]!))
          continue
        }
        const refusal = replies.slice(first, first + commandsOfGroup).find(reply => reply instanceof ReplyError)
        if (refusal instanceof ReplyError && !isOfGroups(refusal)) throw refusal
        refusesGroups ||= refusal !== undefined
        const texts = refusal === undefined ? textsOf(replies[first + commandsOfGroup - 1]!) : []
        for (let k = 0; k < to - from; k++) {
          const text = texts[k]
          if (text === undefined) places.push({ request, position: from + k })
          else accept(request, from + k, text)
        }
      }
      return { places, refusesGroups }
    },
  }
}

/** No right to one of a group's commands, keys on several nodes, or somebody before the server who does not know them. */
function isOfGroups({ code }: ReplyError): boolean {
  return /^(NOPERM|CROSSSLOT|MOVED|ASK|TRYAGAIN|ERR)$/.test(code)
}

/** Of a group's last reply: undefined where only the key's own GET can tell. */
function textsOf(reply: Reply): readonly (LookupAnswer | undefined)[] {
  if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new Error('a group of look-ups has an answer of another kind')
  const [existing, texts] = reply as unknown as readonly [number, readonly (string | NotText | null)[]]
  let found = 0
  for (const text of texts) if (text !== null) found++
  return texts.map(text => (text === null && found !== existing ? undefined : text instanceof NotText ? notText : text))
}

/** What stands before and after the key. */
function partsOf(command: LookupCommand): { readonly head: string; readonly tail: string } {
  switch (command.kind) {
    case 'string':
      return { head: `*2\r\n${bulk('GET')}`, tail: '' }
    case 'hash':
      return { head: `*${2 + command.fields.length}\r\n${bulk('HMGET')}`, tail: command.fields.map(bulk).join('') }
    case 'member':
      return { head: `*3\r\n${bulk('SISMEMBER')}`, tail: '' }
    default:
      throw new Error(`Redis has no look-ups of the kind "${command.kind}"`)
  }
}

function answerOf(command: LookupCommand, reply: Reply): LookupAnswer {
  if (typeof reply === 'string' || reply === null) {
    if (command.kind === 'string') return reply
  } else if (reply instanceof ReplyError) {
    // WRONGTYPE is the data's fault; everything else (LOADING, NOPERM, CLUSTERDOWN) is the store's.
    if (reply.code === 'WRONGTYPE') return new WrongKind('another kind of data')
    throw reply
  } else if (reply instanceof NotText) {
    if (command.kind === 'string') return notText
  } else if (Array.isArray(reply)) {
    if (command.kind === 'hash' && reply.length === command.fields.length)
      return reply.some(text => text instanceof NotText) ? notText : (reply as readonly (string | null)[])
  } else if (command.kind === 'member') return reply === 1
  throw new Error(`a look-up of the kind "${command.kind}" has an answer of another kind`)
}

const notText = new WrongKind('bytes that are not UTF-8')
