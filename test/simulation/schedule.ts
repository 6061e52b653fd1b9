// The order of everything in a simulated world: whoever calls the world waits until the schedule lets the call arrive, and again until it lets
// the answer arrive. Between the two anything else may happen. Time passes only here.
import { setImmediate } from 'node:timers/promises'

/** A container as the schedule sees it: alive, dead, or frozen until some time. */
export interface Caller {
  readonly name: string
  alive: boolean
  frozenUntilMs: number
}

/** What becomes of one call. `lost`: it never arrives. `answer lost`: it has its effect, and the caller sees an error. */
export type Fate = 'well' | 'lost' | 'answer lost'

export class CallLost extends Error {}

interface Waiting {
  readonly caller: Caller
  readonly what: string
  readonly proceed: () => void
}

export class Schedule {
  nowMs = 1_800_000_000_000
  callCount = 0
  readonly trace: string[] = []
  readonly #random: () => number
  readonly #fateOf: (what: string, number: number) => Fate
  #waiting: Waiting[] = []

  constructor(random: () => number, fateOf: (what: string, number: number) => Fate) {
    this.#random = random
    this.#fateOf = fateOf
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  /** One call to the world; `effect` happens at one instant, or never. */
  async call<Answer>(caller: Caller, what: string, effect: () => Answer): Promise<Answer> {
    const fate = this.#fateOf(what, ++this.callCount)
    await this.#turn(caller, what)
    if (fate === 'lost') {
      this.trace.push(`${caller.name}: ${what} is lost`)
      throw new CallLost(what)
    }
    let answer: { readonly value: Answer } | { readonly error: unknown }
    try {
      answer = { value: effect() }
    } catch (error) {
      answer = { error }
    }
    this.trace.push(`${caller.name}: ${what}${'error' in answer ? ` fails: ${(answer.error as Error).message}` : ''}`)
    await this.#turn(caller, `answer to ${what}`)
    if (fate === 'answer lost') {
      this.trace.push(`${caller.name}: the answer to ${what} is lost`)
      throw new CallLost(what)
    }
    if ('error' in answer) throw answer.error
    return answer.value
  }

  /** Lets one waiting call or answer go on; false where all stand still. */
  async step(): Promise<boolean> {
    await setImmediate()
    this.nowMs += this.below(6)
    const ready = this.#waiting.filter(({ caller }) => caller.alive && caller.frozenUntilMs <= this.nowMs)
    if (ready.length === 0) {
      const thaws = this.#waiting.filter(({ caller }) => caller.alive).map(({ caller }) => caller.frozenUntilMs)
      if (thaws.length > 0) this.nowMs = Math.max(this.nowMs, Math.min(...thaws))
      return false
    }
    const chosen = ready[this.below(ready.length)]!
    this.#waiting.splice(this.#waiting.indexOf(chosen), 1)
    chosen.proceed()
    await setImmediate()
    return true
  }

  /** SIGKILL. A request that is on its way may still arrive: `late` tells whether those of this caller do, without anybody to hear the answer. */
  kill(caller: Caller, late: boolean): void {
    caller.alive = false
    const own = this.#waiting.filter(waiting => waiting.caller === caller)
    this.#waiting = this.#waiting.filter(waiting => waiting.caller !== caller)
    this.trace.push(`${caller.name} is killed`)
    if (!late) return
    const ghost: Caller = { name: `${caller.name} (dead)`, alive: true, frozenUntilMs: this.nowMs + this.below(50) }
    for (const waiting of own) if (!waiting.what.startsWith('answer')) this.#waiting.push({ ...waiting, caller: ghost })
  }

  #turn(caller: Caller, what: string): Promise<void> {
    // Whoever is dead waits for ever.
    if (!caller.alive) return new Promise(() => undefined)
    return new Promise(proceed => this.#waiting.push({ caller, what, proceed }))
  }
}
