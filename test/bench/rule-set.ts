// The rule set of scenarios/next-best-offer.yml for everybody else: by hand in JavaScript, and in the languages of other engines.
import { Environment } from '@marcbachmann/cel-js'
import { LogicEngine } from 'json-logic-engine'

/** Decoded, in the form that is natural for JavaScript: instants are milliseconds, what is missing is undefined. */
export interface Input {
  readonly event: {
    readonly type: string
    readonly customerId: string
    readonly country?: string
    readonly channel: string
    readonly usedPercent: number
    readonly balance: number
    readonly at: number
  }
  readonly profile: {
    readonly plan: string
    readonly segment: string
    readonly age: number
    readonly homeCountry: string
    readonly consent: boolean
    readonly monthly: number
  }
  readonly contact: { readonly lastAt?: number; readonly count: number }
}

export interface Output {
  readonly topic: string
  readonly key: string
  readonly headers: readonly (readonly [string, string])[]
  readonly value: string
}

export type Engine = (input: Input) => Output | undefined

interface Offer {
  readonly action: string
  readonly message: string
}

const weekMs = 604_800_000

// By hand ------------------------------------------------------------------------------------------------------------------------------

const segments = new Set(['young', 'family', 'business', 'senior'])

export function byHand({ event, profile, contact }: Input): Output | undefined {
  const abroad = (event.country ?? profile.homeCountry) !== profile.homeCountry
  const headroom = 100 - event.usedPercent
  const worth = profile.monthly * 0.125 + event.balance
  if (event.type !== 'APP_OPENED' && event.type !== 'LOGIN') return undefined
  if (!profile.consent || profile.age < 18 || profile.age >= 80) return undefined
  if (contact.lastAt !== undefined && event.at - contact.lastAt < weekMs) return undefined
  if (contact.count >= 5 || event.balance < 0 || worth <= 2.5) return undefined
  if (event.customerId.startsWith('test-') || !segments.has(profile.segment)) return undefined
  if (headroom >= 90 && !abroad) return undefined
  const offer = offerByHand(profile.plan, abroad, event.usedPercent, worth)
  return offer && output(event.customerId, offer.action, offer.message, worth, profile.segment)
}

function offerByHand(plan: string, abroad: boolean, used: number, worth: number): Offer | undefined {
  switch (plan) {
    case 'basic':
      if (abroad) {
        if (used >= 80)
          return worth >= 8 ? { action: 'ROAMING_MAX', message: 'push' } : { action: 'ROAMING_PACK', message: 'push' }
        if (used >= 40 && worth >= 8) return { action: 'ROAMING_DAY', message: 'push' }
        return { action: 'ROAMING_INFO', message: 'inApp' }
      }
      if (used >= 90) {
        if (worth >= 10) return { action: 'UPGRADE_GOLD', message: 'call' }
        if (worth >= 6) return { action: 'UPGRADE_PLUS', message: 'sms' }
        return { action: 'DATA_PACK', message: 'sms' }
      }
      if (used >= 60) return worth >= 10 ? { action: 'UPGRADE_PLUS', message: 'inApp' } : { action: 'DATA_DAY', message: 'inApp' }
      return undefined
    case 'plus':
      if (abroad) {
        if (used >= 70)
          return worth >= 8 ? { action: 'ROAMING_MAX', message: 'push' } : { action: 'ROAMING_PACK', message: 'push' }
        return { action: 'ROAMING_INFO', message: 'inApp' }
      }
      if (used >= 95) return worth >= 12 ? { action: 'UPGRADE_GOLD', message: 'call' } : { action: 'DATA_PACK', message: 'sms' }
      if (used >= 70) return worth >= 12 ? { action: 'UPGRADE_GOLD', message: 'inApp' } : { action: 'DATA_DAY', message: 'inApp' }
      return undefined
    default:
      if (abroad && used >= 50) return { action: 'ROAMING_FREE', message: 'push' }
      if (!abroad && used >= 95) return { action: 'DATA_FREE', message: 'sms' }
      if (worth >= 20) return { action: 'FAMILY_CARD', message: 'call' }
      if (used < 20) return { action: 'THANK_YOU', message: 'inApp' }
      return undefined
  }
}

function output(customerId: string, action: string, message: string, worth: number, segment: string): Output {
  const value = JSON.stringify({ customerId, action, worth, segment })
  return { topic: 'crm.offers', key: customerId, headers: [['channel', message]], value }
}

// The table for the engines --------------------------------------------------------------------------------------------------------------

interface Row extends Offer {
  readonly plan: string
  readonly abroad?: boolean
  readonly used?: readonly [from: number, below: number]
  readonly worth?: readonly [from: number, below: number]
}

const no = undefined
const from = (low: number) => [low, Number.POSITIVE_INFINITY] as const
const row = (
  plan: string,
  abroad: boolean | undefined,
  used: Row['used'],
  worth: Row['worth'],
  action: string,
  message: string,
): Row => ({
  plan,
  ...(abroad !== undefined && { abroad }),
  ...(used && { used }),
  ...(worth && { worth }),
  action,
  message,
})

const rows: readonly Row[] = [
  row('basic', true, from(80), from(8), 'ROAMING_MAX', 'push'),
  row('basic', true, from(80), no, 'ROAMING_PACK', 'push'),
  row('basic', true, [40, 80], from(8), 'ROAMING_DAY', 'push'),
  row('basic', true, no, no, 'ROAMING_INFO', 'inApp'),
  row('basic', false, from(90), from(10), 'UPGRADE_GOLD', 'call'),
  row('basic', false, from(90), [6, 10], 'UPGRADE_PLUS', 'sms'),
  row('basic', false, from(90), no, 'DATA_PACK', 'sms'),
  row('basic', false, [60, 90], from(10), 'UPGRADE_PLUS', 'inApp'),
  row('basic', false, [60, 90], no, 'DATA_DAY', 'inApp'),
  row('plus', true, from(70), from(8), 'ROAMING_MAX', 'push'),
  row('plus', true, from(70), no, 'ROAMING_PACK', 'push'),
  row('plus', true, no, no, 'ROAMING_INFO', 'inApp'),
  row('plus', false, from(95), from(12), 'UPGRADE_GOLD', 'call'),
  row('plus', false, from(95), no, 'DATA_PACK', 'sms'),
  row('plus', false, [70, 95], from(12), 'UPGRADE_GOLD', 'inApp'),
  row('plus', false, [70, 95], no, 'DATA_DAY', 'inApp'),
  row('gold', true, from(50), no, 'ROAMING_FREE', 'push'),
  row('gold', false, from(95), no, 'DATA_FREE', 'sms'),
  row('gold', no, no, from(20), 'FAMILY_CARD', 'call'),
  row('gold', no, [Number.NEGATIVE_INFINITY, 20], no, 'THANK_YOU', 'inApp'),
]

/** The conditions of one row, each made by the language's own writer. */
const cellsOf = <T>(
  { plan, abroad, used, worth }: Row,
  write: {
    readonly equal: (name: string, value: string | boolean) => T
    readonly least: (name: string, value: number) => T
    readonly below: (name: string, value: number) => T
  },
): readonly T[] => [
  write.equal('plan', plan),
  ...(abroad === undefined ? [] : [write.equal('abroad', abroad)]),
  ...Object.entries({ used, worth }).flatMap(([name, range]) => [
    ...(range && Number.isFinite(range[0]) ? [write.least(name, range[0])] : []),
    ...(range && Number.isFinite(range[1]) ? [write.below(name, range[1])] : []),
  ]),
]

// json-logic-engine, compiled ------------------------------------------------------------------------------------------------------------

export function jsonLogic(): Engine {
  const engine = new LogicEngine()
  engine.addMethod('startsWith', ([text, start]: [string, string]) => text.startsWith(start), {
    sync: true,
    deterministic: true,
  } as never)
  const v = (path: string) => ({ var: path })
  const build = (logic: unknown) => engine.build(logic as never) as (data: unknown) => unknown
  const abroad = build({
    '!==': [{ if: [v('event.country'), v('event.country'), v('profile.homeCountry')] }, v('profile.homeCountry')],
  })
  const headroom = build({ '-': [100, v('event.usedPercent')] })
  const worth = build({ '+': [{ '*': [v('profile.monthly'), 0.125] }, v('event.balance')] })
  const passes = build({
    and: [
      { or: [{ '===': [v('event.type'), 'APP_OPENED'] }, { '===': [v('event.type'), 'LOGIN'] }] },
      v('profile.consent'),
      { '>=': [v('profile.age'), 18] },
      { '<': [v('profile.age'), 80] },
      { or: [{ '!': [v('contact.lastAt')] }, { '>=': [{ '-': [v('event.at'), v('contact.lastAt')] }, weekMs] }] },
      { '<': [v('contact.count'), 5] },
      { '>=': [v('event.balance'), 0] },
      { '>': [v('worth'), 2.5] },
      { '!': [{ startsWith: [v('event.customerId'), 'test-'] }] },
      { in: [v('profile.segment'), [...segments]] },
      { or: [{ '<': [v('headroom'), 90] }, v('abroad')] },
    ],
  })
  const columns: Readonly<Record<string, string>> = {
    plan: 'profile.plan',
    abroad: 'abroad',
    used: 'event.usedPercent',
    worth: 'worth',
  }
  const chooses = build({
    if: rows
      .flatMap((candidate, index) => [
        {
          and: cellsOf<unknown>(candidate, {
            equal: (name, value) => ({ '===': [v(columns[name]!), value] }),
            least: (name, value) => ({ '>=': [v(columns[name]!), value] }),
            below: (name, value) => ({ '<': [v(columns[name]!), value] }),
          }),
        },
        index,
      ])
      .concat([-1]),
  })
  return input => {
    const data = { ...input, abroad: abroad(input), headroom: headroom(input), worth: worth(input) as number }
    if (passes(data) !== true) return undefined
    return chosen(input, chooses(data) as number, data.worth)
  }
}

function chosen({ event, profile }: Input, index: number, worth: number): Output | undefined {
  const found = rows[index]
  return found && output(event.customerId, found.action, found.message, worth, profile.segment)
}

// cel-js, parsed once --------------------------------------------------------------------------------------------------------------------

export function celJs(): Engine {
  const env = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true })
  const parse = (source: string) => env.parse(source) as (context: unknown) => unknown
  const abroad = parse('(has(event.country) ? event.country : profile.homeCountry) != profile.homeCountry')
  const headroom = parse('100.0 - event.usedPercent')
  const worth = parse('profile.monthly * 0.125 + event.balance')
  const passes = parse(
    [
      '(event.type == "APP_OPENED" || event.type == "LOGIN")',
      'profile.consent',
      'profile.age >= 18.0',
      'profile.age < 80.0',
      `(!has(contact.lastAt) || event.at - contact.lastAt >= ${weekMs}.0)`,
      'contact.count < 5.0',
      'event.balance >= 0.0',
      'worth > 2.5',
      '!event.customerId.startsWith("test-")',
      'profile.segment in ["young", "family", "business", "senior"]',
      '(headroom < 90.0 || abroad)',
    ].join(' && '),
  )
  const columns: Readonly<Record<string, string>> = {
    plan: 'profile.plan',
    abroad: 'abroad',
    used: 'event.usedPercent',
    worth: 'worth',
  }
  const chooses = parse(
    rows
      .map((candidate, index) => {
        const cells = cellsOf(candidate, {
          equal: (name, value) => `${columns[name]} == ${JSON.stringify(value)}`,
          least: (name, value) => `${columns[name]} >= ${value}.0`,
          below: (name, value) => `${columns[name]} < ${value}.0`,
        })
        return `${cells.join(' && ')} ? ${index}.0 : `
      })
      .join('') + '-1.0',
  )
  return input => {
    const data = { ...input, abroad: abroad(input), headroom: headroom(input), worth: worth(input) as number }
    if (passes(data) !== true) return undefined
    return chosen(input, chooses(data) as number, data.worth)
  }
}
