// From records that are ours to what they emit: the plan's steps, stage by stage, over the records of all partitions at once.
import { tellFirst } from '../plan/columns.ts'
import { Failure } from '../plan/failure.ts'
import type { SourceRecord } from '../plan/plan.ts'
import { type Commit, commitBudgetMs } from './commit.ts'
import { decode } from './decode.ts'
import { emit } from './emit.ts'
import { enrich } from './enrich.ts'
import { runtimeError } from './errors.ts'
import type { ClaimedWork, DecidedBatch, Invocation } from './invocation.ts'
import type { Deadline, LookupPort, LookupStores, TopicPartition } from './ports.ts'
import { answeringOnce } from './state/answers.ts'
import { type Corrections, StateAttempt, type StatePartition } from './state/attempt.ts'
import { Rehearsal } from './state/rehearsal.ts'

/** Once; with state again where a record turns out late to be a dead letter, since those after it have seen what it left. */
export async function decide(claims: readonly ClaimedWork[], invocation: Invocation): Promise<DecidedBatch> {
  const { plan, state, lookups } = invocation
  if (state === undefined) return (await decideOnce(claims, attempting(invocation, lookups.stores))) as DecidedBatch
  const tooLarge = claims.flatMap(claim => [...claim.tooLarge.keys()])
  const failure = new Failure('too-large', '', 'an output is larger than its topic takes')
  const known = () => new Map<SourceRecord, Failure | 'leaves'>(tooLarge.map(record => [record, failure]))
  const judging = attempting(invocation, eachStore(lookups.stores, answeringOnce))
  let corrections: Corrections = known()
  for (let attempts = 1; ; attempts++) {
    const decided = await decideOnce(claims, { ...judging, corrections })
    if (!('isUnsound' in decided)) return decided
    if (attempts === mostAttempts) throw runtimeError('state-unsettled', { scenario: plan.scenario, attempts })
    assertTime(claims[0]!, invocation)
    // Few that have nothing to do with each other are found by the attempts themselves; the others one by one, in one go.
    if (attempts > 1 || !decided.attempt.hasLearnedAll)
      corrections = await rehearse(claims, decided.attempt, { ...judging, corrections: known() })
  }
}

/** Attempts at one batch with state. The last ones only where others take places of its caps meanwhile. */
const mostAttempts = 8

/** Decides one by one, and writes nothing: which records leave something after all, or nothing. */
async function rehearse(claims: readonly ClaimedWork[], attempt: StateAttempt, judging: Attempting): Promise<Corrections> {
  const { state, deadline } = judging
  const rehearsal = await Rehearsal.open(state!, claims.map(statePartition), attempt.caps(), deadline)
  const stores = eachStore(judging.stores, store => rehearsal.over(store))
  const { metrics: _, observe: __, ...world } = judging.world
  const positions = new Map<string, Promise<bigint | undefined>>()
  const commit = {
    readPosition: (partition: TopicPartition) => {
      const id = `${partition.topic}/${partition.partition}`
      if (!positions.has(id)) positions.set(id, judging.commit.readPosition(partition, deadline))
      return positions.get(id)!
    },
  }
  const one = { ...judging, stores, fresh: stores, state: rehearsal.claims, commit, world }
  await rehearsal.run(async (p, { position, nextOffset, todo }) => {
    const claimed = claims[p]!
    assertTime(claimed, judging)
    const { batch, claim } = claimed
    const alone = { ...claimed, claim: { ...claim, position }, batch: { ...batch, records: todo }, nextOffset, todo }
    // It may seem to leave something, then nothing, or the other way round; alone it comes to rest.
    for (let attempts = 0; attempts < 4; attempts++) if (!('isUnsound' in (await decideOnce([alone], one)))) return
    throw new Error('what one record leaves does not come to rest')
  })
  return judging.corrections
}

function assertTime({ partition }: ClaimedWork, { plan, deadline }: Pick<Invocation, 'plan' | 'deadline'>): void {
  const remainingMs = Math.round(deadline.remainingMs())
  if (remainingMs < commitBudgetMs)
    throw runtimeError('out-of-time', {
      scenario: plan.scenario,
      remainingMs,
      partition: `${partition.topic}-${partition.partition}`,
    })
}

/** What an attempt at a batch reads, and what is known of its records. */
interface Attempting extends Pick<Invocation, 'plan' | 'world' | 'lookups' | 'deadline' | 'state'> {
  readonly commit: Pick<Commit, 'readPosition'>
  readonly stores: LookupStores
  /** For what has to be read again: they do not keep answers. */
  readonly fresh: LookupStores
  readonly corrections: Corrections
}

function attempting({ plan, world, state, commit, lookups, deadline }: Invocation, stores: LookupStores): Attempting {
  const what = { plan, world, commit, lookups, deadline, stores, fresh: lookups.stores, corrections: new Map() }
  return state === undefined ? what : { ...what, state }
}

/** It was taken to be known what a record leaves, and it was not. */
interface Unsound {
  readonly isUnsound: true
  readonly attempt: StateAttempt
}

/** decode → [filter ⇄ enrich]ⁿ → decide → write state → emit, over the records of all partitions at once. */
async function decideOnce(
  claims: readonly ClaimedWork[],
  { plan, world, state, commit, lookups, deadline, stores, fresh, corrections }: Attempting,
): Promise<DecidedBatch | Unsound> {
  const columns = decode(
    claims.flatMap(claim => claim.todo),
    plan,
  )
  const attempt = state && new StateAttempt(state, columns, claims.map(statePartition), corrections)
  let stagesLeft = plan.steps.filter(step => step.kind === 'fetch').length
  for (const step of plan.steps) {
    switch (step.kind) {
      case 'filter':
      case 'decide':
        step.run(columns)
        break
      case 'fetch': {
        const share = shareOf(deadline, stagesLeft--)
        await enrich(columns, plan.lookups, step.lookups, stores, share, lookups.memory, world.metrics)
        await attempt?.opened(step.lookups, {
          position: partition => (plan.delivery === 'exactly-once' ? commit : state!).readPosition(partition, deadline),
          readAgain: again => enrich(columns, plan.lookups, again, fresh, share, undefined, world.metrics),
        })
        break
      }
      case 'settle':
        attempt!.settle(step)
        break
      case 'write':
        if (!(await attempt!.write(deadline))) return { isUnsound: true, attempt: attempt! }
    }
  }
  if (attempt !== undefined) tellFirst(columns, plan.conditions)
  const tooLarge = new Map(claims.flatMap(claim => [...claim.tooLarge]))
  const { deadLetterTopic, carriedHeaders } = world
  const emissions = emit(columns, plan, { deadLetterTopic, tooLarge, ...(carriedHeaders && { carriedHeaders }) })
  if (attempt?.isSound() === false) return { isUnsound: true, attempt }
  world.observe?.({ columns, emissions })
  return { columns, emissions, ...(attempt && { attempt }) }
}

function statePartition({ partition, claim, batch, nextOffset, todo }: ClaimedWork): StatePartition {
  return { partition, position: claim.position, firstOffset: BigInt(batch.records[0]!.offset), nextOffset, todo }
}

/** What answers under several names stays one, so that it is asked once per stage. */
export function eachStore(stores: LookupStores, wrap: (port: LookupPort, name: string) => LookupPort): LookupStores {
  const wrapped = new Map<LookupPort, LookupPort>()
  for (const [name, port] of Object.entries(stores)) if (!wrapped.has(port)) wrapped.set(port, wrap(port, name))
  return Object.fromEntries(Object.entries(stores).map(([name, port]) => [name, wrapped.get(port)!]))
}

/** For the commit, which must not start with no time left. */
const commitReserveMs = 2000

/** A round trip's part of the invocation's rest: as much as each stage after it, once the commit has its own. */
function shareOf(deadline: Deadline, stagesLeft: number): Deadline {
  const restMs = deadline.remainingMs()
  const shareMs = (restMs - Math.min(commitReserveMs, restMs / 4)) / stagesLeft
  const endMs = performance.now() + shareMs
  return { remainingMs: () => Math.min(deadline.remainingMs(), endMs - performance.now()) }
}
