// What a scenario file may hold, as data: the reader checks files against it (structure.ts), and the JSON Schema for editors is made
// from it (schema.ts), so that editor and `check` agree about every key.

export type Shape =
  /** A text that is taken as it stands, with quotes or without. */
  | { readonly kind: 'text'; readonly pattern?: RegExp; readonly needed?: string }
  /** An expression, or in quotes a text with holes. */
  | { readonly kind: 'expression' }
  /** Expressions and texts, in maps and lists. */
  | { readonly kind: 'value' }
  /** A map of fields and their types, nested. */
  | { readonly kind: 'fields' }
  /** A type in one line, or a map of fields. */
  | { readonly kind: 'type' }
  /** Literals of any shape: examples, settings of Serverless. */
  | { readonly kind: 'literal' }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | {
      readonly kind: 'number'
      readonly integer: boolean
      readonly minimum: number
      readonly maximum: number
      readonly unit?: string
    }
  | { readonly kind: 'bool' }
  /** `800ms`, `5m`, `12h`, `7d`. */
  | { readonly kind: 'duration'; readonly minimumMs: number; readonly maximumMs: number; readonly range: string }
  | { readonly kind: 'list'; readonly element: Shape; readonly maximum?: number }
  /** A map by names that the user chooses; `word` tells what they name. */
  | { readonly kind: 'names'; readonly word: string; readonly element: Shape }
  | Section

export interface Section {
  readonly kind: 'section'
  readonly keys: Readonly<Record<string, Key>>
  /** Groups of keys, exactly one of which is needed. */
  readonly oneOf?: readonly (readonly string[])[]
  /** Keys beyond those listed are taken as they stand. */
  readonly open?: boolean
}

export interface Key {
  readonly shape: Shape
  /** One sentence for editors. */
  readonly about: string
  readonly required?: boolean
  /** Why it cannot be set, and what to do instead. */
  readonly refused?: { readonly reason: string; readonly instead: string }
  /** Designed, and not there yet: what it is, and what to do instead. */
  readonly notBuilt?: { readonly what: string; readonly instead: string }
}

const expression: Shape = { kind: 'expression' }
const text: Shape = { kind: 'text' }
const literal: Shape = { kind: 'literal' }
const days = 24 * 60 * 60 * 1000

const integer = (minimum: number, maximum: number, unit?: string): Shape => ({
  kind: 'number',
  integer: true,
  minimum,
  maximum,
  ...(unit === undefined ? {} : { unit }),
})

const responseTypes: Key = {
  shape: literal,
  about: 'What the function answers.',
  refused: {
    reason: 'sluice answers in the form that its delivery needs',
    instead:
      'Remove the line. With "delivery: at-least-once" and "provisionedPollerConfig" only the partitions that failed come again.',
  },
}

// AWS's settings of the event source mapping, by their own names and within AWS's bounds:
// docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const mappingSettings: Readonly<Record<string, Key>> = {
  batchSize: {
    shape: integer(1, 10_000, 'records'),
    about: 'At most so many records come in one batch (1 to 10,000; AWS: 100).',
  },
  maximumBatchingWindow: {
    shape: integer(0, 300, 'seconds'),
    about: 'The mapping waits so many seconds for a batch to fill (0 to 300; left out: 500 ms).',
  },
  startingPosition: {
    shape: { kind: 'choice', values: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'] },
    about: 'Where a new consumer group begins to read.',
  },
  startingPositionTimestamp: {
    shape: { kind: 'number', integer: false, minimum: 0, maximum: 99_999_999_999, unit: 'seconds since 1970' },
    about: 'With startingPosition AT_TIMESTAMP: seconds since 1970.',
  },
  consumerGroupId: {
    shape: {
      kind: 'text',
      pattern: /^[a-zA-Z0-9\-/*:_+=.@]{1,200}$/,
      needed: '1 to 200 letters, digits or any of - / * : _ + = . @',
    },
    about: "The mapping's consumer group; left out: sluice.SCENARIO.GENERATION.trigger/TOPIC.",
  },
  enabled: { shape: { kind: 'bool' }, about: 'Whether the mapping reads at all.' },
  filterPatterns: {
    shape: { kind: 'list', element: literal, maximum: 10 },
    about: 'Lambda drops records that fit none of these patterns, before they are paid for.',
  },
  provisionedPollerConfig: {
    shape: {
      kind: 'section',
      keys: {
        minimumPollers: { shape: integer(1, 200, 'pollers'), about: 'Pollers that always run (1 to 200).' },
        maximumPollers: { shape: integer(1, 2000, 'pollers'), about: 'Pollers at most (1 to 2,000).' },
        pollerGroupName: {
          shape: { kind: 'text', pattern: /^[a-zA-Z0-9_-]{1,128}$/, needed: '1 to 128 letters, digits, - or _' },
          about: 'Mappings with one group name share pollers.',
        },
      },
    },
    about: 'Pollers of its own for this mapping.',
  },
  metricsConfig: {
    shape: {
      kind: 'section',
      keys: {
        metrics: {
          shape: { kind: 'list', element: { kind: 'choice', values: ['EventCount', 'ErrorCount', 'KafkaMetrics'] } },
          required: true,
          about: 'Which; [] for none.',
        },
      },
    },
    about: 'Metrics that the mapping itself writes (left out: all with pollers of its own, else none).',
  },
  loggingConfig: {
    shape: {
      kind: 'section',
      keys: {
        systemLogLevel: {
          shape: { kind: 'choice', values: ['DEBUG', 'INFO', 'WARN'] },
          required: true,
          about: 'From which level on.',
        },
      },
    },
    about: 'What the mapping writes into the log of the function, with pollers of its own (left out: INFO).',
  },
  kmsKeyArn: {
    shape: {
      kind: 'text',
      pattern: /^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/.+$/,
      needed: 'the ARN of a key of KMS, which allows Lambda to use it',
    },
    about: 'The key of your own that encrypts the filter patterns.',
  },
  schemaRegistryConfig: {
    shape: literal,
    about: 'A schema registry.',
    notBuilt: { what: 'A schema registry', instead: 'Send JSON, and declare its fields under "event".' },
  },
  maximumRetryAttempts: {
    shape: integer(-1, 10_000, 'attempts'),
    about: 'How often a failed batch comes again; only -1, for ever.',
  },
  maximumRecordAgeInSeconds: { shape: integer(-1, 604_800, 'seconds'), about: 'How old a record may become; only -1, for ever.' },
  bisectBatchOnFunctionError: { shape: { kind: 'bool' }, about: 'Whether a failed batch is halved; only false.' },
  functionResponseType: responseTypes,
  functionResponseTypes: responseTypes,
  consumptionMode: {
    shape: literal,
    about: 'How the mapping reads; always Stream.',
    refused: {
      reason: 'AWS\' mode "Queue" gives up the order of a partition, and its acknowledgements are in no transaction',
      instead: 'Remove the line; "Stream" is what a mapping does without it.',
    },
  },
  onFailureDestination: {
    shape: literal,
    about: 'Where failed batches go.',
    refused: {
      reason: 'with it AWS discards a batch after ten attempts, for a mere outage of a store',
      instead: 'Remove the line. Records that can never succeed become dead letters by themselves.',
    },
  },
  destinations: {
    shape: literal,
    about: 'Where failed batches go.',
    refused: {
      reason: 'with it AWS discards a batch after ten attempts, for a mere outage of a store',
      instead: 'Remove the line. Records that can never succeed become dead letters by themselves.',
    },
  },
  parallelizationFactor: {
    shape: literal,
    about: 'For Kinesis and DynamoDB streams.',
    refused: {
      reason: 'AWS has it for Kinesis and DynamoDB alone',
      instead: 'More partitions of the topic give more parallel batches.',
    },
  },
  tumblingWindowInSeconds: {
    shape: literal,
    about: 'For Kinesis and DynamoDB streams.',
    refused: { reason: 'AWS has it for Kinesis and DynamoDB alone', instead: 'Remove the line.' },
  },
  arn: {
    shape: literal,
    about: 'The cluster.',
    refused: { reason: 'the cluster is the same for all scenarios', instead: 'Set it in serverless.yml.' },
  },
  bootstrapServers: {
    shape: literal,
    about: 'The cluster.',
    refused: { reason: 'the cluster is the same for all scenarios', instead: 'Set it in serverless.yml.' },
  },
}

export const mappingSettingNames: readonly string[] = Object.keys(mappingSettings)

/** The settings alone, as a stage may set them anew. */
export const mappingSection: Section = { kind: 'section', keys: mappingSettings }

const source: Section = {
  kind: 'section',
  oneOf: [['event', 'schema', 'events']],
  keys: {
    topic: { shape: text, required: true, about: 'The Kafka topic that records come from.' },
    event: {
      shape: { kind: 'fields' },
      about: "Fields of the record's JSON value, with their types: `name: string`, `name?: string`, `name: int = 0`.",
    },
    schema: { shape: text, about: 'Instead of `event`: the path of a JSON Schema, relative to this file.' },
    events: {
      shape: literal,
      about: 'Several kinds of record.',
      notBuilt: {
        what: 'A source with several kinds of record ("events")',
        instead: 'Write one scenario for each kind, with "event" and a filter on what tells them apart.',
      },
    },
    key: { shape: { kind: 'type' }, about: "The record key's type, or fields of a JSON key." },
    headers: { shape: { kind: 'fields' }, about: 'Headers that expressions read, with their types.' },
    ...mappingSettings,
  },
}

const stores = ['redis', 'dynamodb', 'http', 'table', 'upstash']

const enricher: Section = {
  kind: 'section',
  oneOf: [stores],
  keys: {
    redis: { shape: text, about: '`hash KEY`, `json KEY`, `string KEY` or `set KEY has MEMBER`; keys are texts with holes.' },
    dynamodb: {
      shape: text,
      about: '`item TABLE id={…} sort={…}`: a DynamoDB item by its key attributes.',
    },
    http: {
      shape: text,
      about: '`GET URL` or `POST URL`: a JSON answer of an HTTP service; each hole is one part of the URL.',
    },
    table: {
      shape: text,
      about: '`FILE.csv column={…}`: the other columns of a row, compiled in; its heading has the types.',
    },
    upstash: {
      shape: text,
      about: 'Redis over HTTP.',
      notBuilt: { what: 'Upstash', instead: 'Write "redis: …"; where the store is stands in serverless.yml.' },
    },
    fields: { shape: { kind: 'fields' }, about: 'What is found, with types.' },
    value: { shape: text, about: 'For `redis: string`: the type of the text, read as NAME.value.' },
    forEach: { shape: expression, about: '`x in list`: a look-up per element.' },
    onMissing: {
      shape: { kind: 'choice', values: ['empty', 'drop', 'deadLetter'] },
      about: 'What happens to a record whose look-up finds nothing.',
    },
    onError: {
      shape: { kind: 'choice', values: ['retry', 'missing', 'deadLetter'] },
      about: 'What happens where the store gives no answer.',
    },
    timeout: {
      shape: { kind: 'duration', minimumMs: 1, maximumMs: 840_000, range: '1ms to 14m' },
      about: 'How long to wait for the store.',
    },
    cache: {
      shape: { kind: 'duration', minimumMs: 1, maximumMs: 365 * days, range: '1ms to 365d' },
      about: "How long an answer is kept in the container's memory.",
    },
    body: {
      shape: { kind: 'value' },
      about: 'What is sent by POST.',
    },
    consistent: {
      shape: { kind: 'bool' },
      about: 'For `dynamodb`: the look-up sees all that was written before it; DynamoDB takes twice the price for it.',
    },
    batch: {
      shape: { kind: 'choice', values: ['array'] },
      about:
        '`array`, for POST: one request for all, with an array of bodies; an array of answers comes back, `null` for nothing.',
    },
  },
}

const decision: Section = {
  kind: 'section',
  oneOf: [['table', 'rules']],
  keys: {
    hitPolicy: {
      shape: { kind: 'choice', values: ['unique', 'any', 'first', 'collect'] },
      about: 'Which rows count when several hold.',
    },
    rank: {
      shape: { kind: 'text', pattern: /^\S+\s+(ascending|descending)$/, needed: 'an output and "ascending" or "descending"' },
      about: '`score descending`: the best row by an output, not the first one.',
    },
    limit: { shape: integer(1, 10_000, 'rows'), about: 'With `collect`: at most so many.' },
    onMissing: {
      shape: { kind: 'choice', values: ['empty', 'drop', 'deadLetter'] },
      about: 'What happens to a record for which no row holds.',
    },
    forEach: { shape: expression, about: '`x in list`: the rows are judged for each element.' },
    table: { shape: text, about: 'A table in pipes under `|`, or the path of a CSV file.' },
    rules: {
      shape: {
        kind: 'list',
        element: {
          kind: 'section',
          keys: {
            when: { shape: expression, about: 'When the rule holds; left out: always.' },
            then: { shape: { kind: 'names', word: 'an output', element: expression }, required: true, about: 'The outputs.' },
          },
        },
      },
      about: 'Instead of a table, for long conditions.',
    },
  },
}

const sink: Section = {
  kind: 'section',
  keys: {
    topic: { shape: text, required: true, about: 'The Kafka topic that outputs go to; a text with holes needs `among`.' },
    among: { shape: { kind: 'list', element: text }, about: 'All topics that a topic with holes may be.' },
    on: { shape: { kind: 'choice', values: ['dropped'] }, about: '`dropped`: a sink for records that a filter drops.' },
    when: { shape: expression, about: 'Which records it takes.' },
    forEach: { shape: expression, about: '`x in list`: an output per element.' },
    key: { shape: expression, about: "The output's key; left out: the source record's." },
    headers: { shape: { kind: 'names', word: 'a header', element: expression }, about: "The output's headers." },
    value: { shape: { kind: 'value' }, required: true, about: "The output's JSON value." },
  },
}

const state: Section = {
  kind: 'section',
  keys: {
    key: { shape: expression, required: true, about: 'Whose state it is: an expression, or in quotes a text with holes.' },
    fields: {
      shape: { kind: 'fields' },
      about: 'Remember: what is kept, with types; each optional (`lastAt?: timestamp`) or with a default (`near: int = 0`).',
    },
    set: {
      shape: { kind: 'value' },
      about: 'Remember: what a record leaves; a field that is not here keeps its value.',
    },
    when: {
      shape: expression,
      about: 'Which records write, or ask for a place; left out: those that pass the filters; `true`: all.',
    },
    limit: { shape: expression, about: 'Cap: at most so many records (or units) per key.' },
    within: {
      shape: { kind: 'duration', minimumMs: 1, maximumMs: 3650 * days, range: '1ms to 3650d' },
      about: "Cap: counts the records of the last so much time, by the records' time; left out: for ever.",
    },
    member: { shape: expression, about: 'Cap: each member once; a second time is dropped.' },
    take: { shape: expression, about: 'Cap: so many units (an int or a decimal) instead of one record.' },
    shared: { shape: { kind: 'bool' }, about: 'Cap of a shared file: one for all scenarios that use the file.' },
    of: {
      shape: literal,
      about: 'Another key of an entry, only read.',
      notBuilt: {
        what: 'Reading another key of remembered state ("of")',
        instead: 'Let a scenario of that key write it to Redis by way of a topic, and look it up under "enrich".',
      },
    },
  },
}

const step: Section = {
  kind: 'section',
  keys: {
    given: { shape: literal, about: 'The record, and what look-ups find.' },
    expect: { shape: literal, required: true, about: 'Records by sink, `droppedBy`, `deadLetter`, `nothing` or `retry`.' },
  },
}

const example: Section = {
  kind: 'section',
  oneOf: [['expect', 'steps']],
  keys: {
    name: { shape: text, about: 'What the example shows.' },
    given: { shape: literal, about: 'The record, and what look-ups find.' },
    expect: { shape: literal, about: 'Records by sink, `droppedBy`, `deadLetter`, `nothing` or `retry`.' },
    steps: { shape: { kind: 'list', element: step }, about: 'Several records, one after the other.' },
  },
}

/** Settings of a function that work for others, and not for one that is built here and reads a topic. */
const ofSluice: Readonly<Record<string, Key>> = Object.fromEntries(
  (
    [
      ['runtime', 'sluice builds for Node.js 24', ''],
      ['image', 'sluice builds the code from this file', ''],
      ['package', 'sluice builds the code from this file', ''],
      [
        'provisionedConcurrency',
        'it is paid for at an alias, and the mapping invokes the function itself',
        ' Pollers of its own ("provisionedPollerConfig" under "source") keep containers busy.',
      ],
      ['snapStart', 'AWS has it for published versions, and the mapping invokes the function itself', ''],
      ['durableConfig', 'a batch is decided in one invocation', ''],
      ['url', 'the function takes batches of its mapping alone', ''],
      [
        'onError',
        'it is for asynchronous invocations, and a mapping invokes synchronously',
        ' Records that can never succeed become dead letters by themselves.',
      ],
      [
        'destinations',
        'it is for asynchronous invocations, and a mapping invokes synchronously',
        ' Records that can never succeed become dead letters by themselves.',
      ],
      ['maximumRetryAttempts', 'it is for asynchronous invocations, and a mapping invokes synchronously', ''],
      ['maximumEventAge', 'it is for asynchronous invocations, and a mapping invokes synchronously', ''],
      ['disableLogs', 'metrics and alarms come from the log', ' "logRetentionInDays" keeps it small.'],
      [
        'condition',
        'role, mapping and alarms of the function would stay',
        ' A stage goes without a scenario by another service, or with "enabled: false" under "source".',
      ],
      ['fileSystemConfig', 'no code of sluice reads files', ''],
    ] as const
  ).map(([name, reason, more]) => [
    name,
    { shape: literal, about: 'Not for a scenario.', refused: { reason, instead: `Remove the line.${more}` } },
  ]),
)

export const scenarioFile: Section = {
  kind: 'section',
  keys: {
    scenario: {
      shape: { kind: 'text', pattern: /^[a-z][a-z0-9-]*$/, needed: 'lower case letters, digits and hyphens, a letter first' },
      required: true,
      about: 'Name of file, function and metrics: lower case, digits, hyphens.',
    },
    description: { shape: text, about: 'What the scenario is for.' },
    generation: { shape: integer(1, 1_000_000), about: 'A new one decides everything again, from empty state (default: 1).' },
    source: { shape: source, required: true, about: 'Where records come from.' },
    use: {
      shape: { kind: 'list', element: text },
      about: 'Files with parts that scenarios share: `[shared/contact-policy.yml]`, relative to this file.',
    },
    let: { shape: { kind: 'names', word: 'a variable', element: expression }, about: 'Named values.' },
    enrich: { shape: { kind: 'names', word: 'an enricher', element: enricher }, about: 'Look-ups that add fields.' },
    filter: { shape: { kind: 'names', word: 'a filter', element: expression }, about: 'Conditions that must all hold.' },
    decide: { shape: { kind: 'names', word: 'a decision', element: decision }, about: 'Decision tables and rules.' },
    state: {
      shape: { kind: 'names', word: 'a state', element: state },
      about: 'What a record leaves for later ones: remembered values and caps.',
    },
    sinks: { shape: { kind: 'names', word: 'a sink', element: sink }, required: true, about: 'What goes out.' },
    function: {
      shape: {
        kind: 'section',
        open: true,
        keys: {
          memorySize: { shape: integer(128, 10_240, 'MB'), about: 'MB of memory (128 to 10,240).' },
          timeout: { shape: integer(1, 840, 'seconds'), about: 'Seconds; for Kafka at most 840.' },
          handler: {
            shape: literal,
            about: 'Set by sluice.',
            refused: { reason: 'sluice builds the handler from this file', instead: 'Remove the line.' },
          },
          events: {
            shape: literal,
            about: 'Set by sluice.',
            refused: { reason: 'the trigger follows from "source"', instead: 'Remove it, and set what you need under "source".' },
          },
          ...ofSluice,
        },
      },
      about: 'Serverless function settings (`memorySize`, `timeout`, …).',
    },
    delivery: {
      shape: { kind: 'choice', values: ['exactly-once', 'at-least-once'] },
      about:
        'exactly-once (default): outputs, dead letters and progress in one transaction. at-least-once: for clusters without transactions.',
    },
    deadLetters: {
      shape: {
        kind: 'section',
        keys: {
          stopAbove: {
            shape: { kind: 'number', integer: false, minimum: 0, maximum: 1 },
            about: 'With a larger share of dead letters in a batch of 100 or more nothing is emitted (default: 0.5).',
          },
          redact: {
            shape: {
              kind: 'list',
              element: {
                kind: 'text',
                pattern: /^(event(\.[^.\s]+)+|key|headers\.[^.\s]+)$/,
                needed: 'event.FIELD, key or headers.NAME',
              },
            },
            about: 'What dead letters do not show: `event.email`, `key`, `headers.token`.',
          },
        },
      },
      about: 'When to stop rather than to make dead letters; what they do not show.',
    },
    examples: { shape: { kind: 'list', element: example }, about: 'Records in, records out: `npx sluice test` runs them.' },
  },
}

const sharedSections = ['let', 'enrich', 'filter', 'decide', 'state'] as const

/** What a file that `use` names may hold. */
export const sharedFile: Section = {
  kind: 'section',
  keys: {
    needs: { shape: { kind: 'fields' }, about: 'The fields of `event` that the expressions of this file see, with their types.' },
    ...Object.fromEntries(sharedSections.map(name => [name, scenarioFile.keys[name]!])),
  },
}
