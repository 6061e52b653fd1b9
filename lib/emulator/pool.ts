// The containers of one function. Lambda promises nothing about which one gets an invocation, so it is picked at random: a partition that
// hops between warm containers is the normal case that exactly-once must survive.
import type { KafkaEvent } from '../runtime/event.ts'
import { Container, type FunctionSettings, type InvocationResult, type InvokeOptions } from './container.ts'

export interface ContainerPoolOptions {
  /** 0 ≤ x < 1. Given by the caller, so that a run can be repeated. */
  readonly random: () => number
}

export class ContainerPool {
  readonly #settings: FunctionSettings
  readonly #random: () => number
  #containers: Container[] = []

  constructor(settings: FunctionSettings, options: ContainerPoolOptions) {
    this.#settings = settings
    this.#random = options.random
  }

  /** Live containers, idle or not. */
  get size(): number {
    return this.#containers.length
  }

  async invoke(event: KafkaEvent, options: InvokeOptions = {}): Promise<InvocationResult> {
    return (await this.acquire().run(event, options)).result
  }

  /** A container that is taken until its invocation ends; for faults that need to hold it. */
  acquire(): Lease {
    this.#containers = this.#containers.filter(container => container.alive)
    const idle = this.#containers.filter(container => container.idle && !leased.has(container))
    const container = idle[Math.floor(this.#random() * idle.length)] ?? this.#start()
    leased.add(container)
    return {
      container,
      run: async (event, options) => {
        try {
          return { result: await container.invoke(event, options) }
        } finally {
          leased.delete(container)
        }
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#containers.map(container => container.kill()))
    this.#containers = []
  }

  #start(): Container {
    const container = new Container(this.#settings)
    this.#containers.push(container)
    return container
  }
}

export interface Lease {
  readonly container: Container
  readonly run: (event: KafkaEvent, options?: InvokeOptions) => Promise<{ readonly result: InvocationResult }>
}

const leased = new WeakSet<Container>()
