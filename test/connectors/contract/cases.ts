// The contract's table: each case for each source, or the reason why a source cannot have it. README.md of the connectors shows it.
export const sourceNames = [
  'in memory',
  'Redis over TCP',
  'Valkey over TCP',
  'Upstash over HTTP',
  'Apache Ignite',
  'DynamoDB',
  'HTTP GET',
  'HTTP POST',
] as const

export type SourceName = (typeof sourceNames)[number]

const lookups = [
  'found, also an empty text',
  'missing',
  'another kind of data',
  'bytes that are no text',
  'a text with the mark that stands for such bytes',
  '1,234 keys, in the order asked',
  'several requests at once',
  'hashes',
  'sets',
  'letters of all scripts',
  'digits stay a text',
  'control characters in keys',
  'keys of 1,000 bytes',
  'a key cannot inject a command',
  'keys that cannot be sent are refused, nobody is asked',
] as const

const faults = [
  'nothing listens',
  'a server that never answers: the deadline holds',
  'garbage',
  'slower than the deadline, then well again',
  'down at the start, then there',
  'restarted in the middle',
  'asked by several at once before it is connected',
  'closed during a freeze',
  'reset during a freeze',
  'half open after a freeze',
  'reset before the question',
  'reset between question and answer',
  'reset in the middle of the answer',
  'half of the answers fail',
  'throttled',
  'a wrong secret',
] as const

export const cases = [...lookups, ...faults] as const
export type CaseName = (typeof cases)[number]

type Lacks = Partial<Record<CaseName, string>>

const noConnection = 'It is in the process: nothing lies between.'
const noKinds = 'It has one kind of data; sets and hashes are Redis and Ignite kinds.'

const lacks: Partial<Record<SourceName, Lacks>> = {
  'in memory': {
    ...(Object.fromEntries(faults.map(name => [name, noConnection])) as Lacks),
    'bytes that are no text': 'It holds texts alone.',
  },
  'Apache Ignite': {
    'bytes that are no text': 'Its texts are Strings of Java; an array of bytes is another kind of data.',
    'half of the answers fail': 'One get-all has one answer, whole or none.',
    throttled: 'A get-all is never refused for load: the protocol has no such status.',
  },
  DynamoDB: {
    hashes: noKinds,
    sets: noKinds,
    'bytes that are no text': "Bytes are an attribute's type and come as base64.",
    'a wrong secret': 'dynalite checks no signatures; an exception of AWS is told by its name, as in "throttled".',
  },
  'HTTP GET': { hashes: noKinds, sets: noKinds },
  'HTTP POST': { hashes: noKinds, sets: noKinds },
}

/** Why a source does not have a case; undefined: it has it. */
export function whyNot(source: SourceName, name: CaseName): string | undefined {
  return lacks[source]?.[name]
}

/** A README with the table between its two markers. */
export function withTable(readme: string): string {
  const block = /(<!-- contract -->\n)[\s\S]*?(<!-- \/contract -->)/
  if (!block.test(readme)) throw new Error('README.md has lost the line <!-- contract --> where the table goes')
  return readme.replace(block, (_, start: string, end: string) => `${start}${table()}${end}`)
}

function table(): string {
  const reasons: string[] = []
  const mark = (reason: string | undefined): string => {
    if (reason === undefined) return '✓'
    if (!reasons.includes(reason)) reasons.push(reason)
    return `– ${reasons.indexOf(reason) + 1}`
  }
  const rows = cases.map(name => `| ${name} | ${sourceNames.map(source => mark(whyNot(source, name))).join(' | ')} |`)
  return [
    `| case | ${sourceNames.join(' | ')} |`,
    `| --- |${' :-: |'.repeat(sourceNames.length)}`,
    ...rows,
    '',
    ...reasons.map((reason, r) => `${r + 1}. ${reason}`),
    '',
  ].join('\n')
}
