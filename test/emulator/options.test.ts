import { expect, test } from 'vitest'
import { readCommandLine } from '../cases/options.ts'

test('everything has a default but the folder', () => {
  expect(readCommandLine(['data'])).toEqual({
    folder: 'data',
    cases: [],
    broker: 'none',
    store: 'memory',
    batch: 'all',
    kill: false,
    zombie: false,
    duplicate: false,
    replay: false,
    seed: 1,
  })
})

test('cases and options in any order', () => {
  expect(readCommandLine(['--broker', 'kafka', 'data', '--batch=7', 'promotion', '--kill'])).toMatchObject({
    folder: 'data',
    cases: ['promotion'],
    broker: 'kafka',
    store: 'redis',
    batch: 7,
    kill: true,
  })
})

test('help is no run', () => {
  expect(readCommandLine(['--help'])).toBeUndefined()
})

test.each([
  [['data', '--brokr', 'kafka'], 'There is no --brokr. Did you mean --broker?'],
  [['data', '--xyzzy'], 'There is no --xyzzy.'],
  [['data', '--batch', '3'], '--batch is one of 1, 7, all, not "3".'],
  [['data', '--broker', 'rabbit'], '--broker is one of kafka, none, not "rabbit".'],
  [['data', '--kill'], '--kill needs --broker kafka: without a broker there is no commit to interrupt.'],
  [['data', '--zombie'], '--zombie needs --broker kafka: without a broker there is no commit to interrupt.'],
  [['data', '--broker', 'kafka', '--kill', '--duplicate'], 'Use one of --kill, --zombie and --duplicate at a time.'],
  [['data', '--store', 'redis'], '--broker none runs the embedded build, which looks up in memory: use --store memory.'],
  [
    ['data', '--broker', 'kafka', '--store', 'memory'],
    '--broker kafka runs the deployed build, which looks up in Redis: use --store redis.',
  ],
  [['data', '--replay', '--duplicate'], '--replay delivers as replay.jsonl says: leave out --kill, --zombie and --duplicate.'],
  [[], 'Name the folder with the cases.'],
])('%j is wrong use', (words, message) => {
  expect(() => readCommandLine(words)).toThrow(message)
})
