// What a function says to a store of state in Redis, read along: which bytes of a stream are a claim, a read or a write of state, and when
// their answers are there. Look-ups of others' keys are none of it.

/** A value of Redis' protocol that is complete in a chunk. */
export interface FoundValue {
  /** Texts of a command that are short enough to tell what it is; the others are empty. */
  readonly words: readonly string[]
  /** Positions in the chunk; 0 where it began in an earlier one. */
  readonly startsAt: number
  readonly endsAt: number
}

const newline = 0x0a
const longestWord = 300

/** Where values begin and end in a stream of chunks: commands and answers have one form. */
export class RedisValues {
  #line = ''
  #bulk: { text: string; readonly isShort: boolean; left: number } | undefined
  /** Elements that open arrays still wait for. */
  readonly #open: number[] = []
  #words: string[] = []
  #isWithin = false

  read(chunk: Buffer, visit: (found: FoundValue) => void): void {
    let startsAt = 0
    let at = 0
    const complete = (): void => {
      while (this.#open.length > 0) {
        const left = this.#open.pop()! - 1
        if (left > 0) return void this.#open.push(left)
      }
      this.#isWithin = false
      visit({ words: this.#words, startsAt, endsAt: at })
      this.#words = []
    }
    while (at < chunk.length) {
      if (!this.#isWithin) {
        startsAt = at
        this.#isWithin = true
      }
      if (this.#bulk !== undefined) {
        const taken = Math.min(this.#bulk.left, chunk.length - at)
        if (this.#bulk.isShort) this.#bulk.text += chunk.toString('latin1', at, at + taken)
        this.#bulk.left -= taken
        at += taken
        if (this.#bulk.left > 0) return
        this.#words.push(this.#bulk.text.slice(0, -2))
        this.#bulk = undefined
        complete()
        continue
      }
      const end = chunk.indexOf(newline, at)
      this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end + 1)
      if (end < 0) return
      at = end + 1
      const [kind, size] = [this.#line[0], Number(this.#line.slice(1))]
      this.#line = ''
      if (kind === '$' && size >= 0) this.#bulk = { text: '', isShort: size <= longestWord, left: size + 2 }
      else if (kind === '*' && size > 0) this.#open.push(size)
      else complete()
    }
  }
}

const token = /^\d{12,}\.[0-9a-f]{8}$/

/** What a command does to the state; undefined: nothing. Only a claim is a script without a token: it makes a new one. */
export function stateCallOf(words: readonly string[]): string | undefined {
  const isScript = /^EVAL(SHA)?$/.test(words[0] ?? '')
  const key = words[isScript ? 3 : 1]
  if (!key?.startsWith('sluice:')) return undefined
  if (!isScript) return 'state read'
  return words.some(word => token.test(word)) ? 'state write' : 'state claim'
}
