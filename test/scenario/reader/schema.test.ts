// The JSON Schema for editors agrees with `check` about the files that we have.
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { scenarioSchema } from '../../../lib/scenario/schema.ts'
import { goodScenarios } from '../../golden/golden.ts'

const validate = new Ajv({ allowUnionTypes: true }).compile(scenarioSchema())

test.each(goodScenarios())('%s fits the schema', path => {
  validate(parse(readFileSync(path, 'utf8')))
  expect(validate.errors ?? []).toEqual([])
})

describe('what `check` refuses for its shape does not fit', () => {
  test.each(['unknown-key', 'missing-key', 'wrong-shape', 'setting-range', 'not-built-yet', 'too-many-keys'])('%s', id => {
    expect(validate(parse(readFileSync(`test/golden/${id}.yml`, 'utf8')))).toBe(false)
  })
})
