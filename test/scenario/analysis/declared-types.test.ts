import { describe, expect, test } from 'vitest'
import { Timestamp } from '../../../lib/language/standard/values.ts'
import { describeType } from '../../../lib/language/types.ts'
import { problems, sound } from './analysed.ts'

describe('declared types', () => {
  test.each([
    ['string', 'string'],
    ['int', 'int'],
    ['double', 'double'],
    ['bool', 'bool'],
    ['decimal(2)', 'decimal(2)'],
    ['timestamp-millis', 'timestamp-millis'],
    ['timestamp-micros', 'timestamp-micros'],
    ['timezone', 'timezone'],
    ['basic | gold', 'basic | gold'],
    ['a b | c=d', 'a b | c=d'],
    ['list<string>', 'list<string>'],
    ['list<basic | gold>', 'list<basic | gold>'],
    ['map<int>', 'map<int>'],
    ['list<map<decimal(2)>>', 'list<map<decimal(2)>>'],
  ])('%s', (written, described) => {
    const { source } = sound({ event: `\n    id: string\n    x: ${written}` })
    expect(describeType(source.event.fields.get('x')!.type)).toBe(described)
  })

  test('objects and lists nest', () => {
    const { source } = sound({ event: '{ id: string, items: [{ sku: string, size?: { w: int } }] }' })
    const items = source.event.fields.get('items')!.type
    expect(items.kind).toBe('list')
    const element = items.kind === 'list' ? items.element : items
    const size = element.kind === 'object' ? element.fields.get('size')! : undefined
    expect(size?.optional).toBe(true)
    expect(size?.type.kind === 'object' ? [...size.type.fields.keys()] : []).toEqual(['w'])
  })

  test.each([
    ['int = 0', 0],
    ['int = -5', -5],
    ['int = 9007199254740993', 9007199254740993n],
    ['double = 1.0', 1],
    ['decimal(2) = 7.5', 750],
    ['bool = false', false],
    ['string = ""', ''],
    ['string = a = b', 'a = b'],
    ['basic | gold = gold', 'gold'],
    ['timestamp = 1970-01-01T00:00:10Z', new Timestamp(10, 0)],
    ['timestamp-millis = 1500', new Timestamp(1, 500_000_000)],
    ['list<string> = []', []],
  ])('a default is a literal of its type: %s', (written, value) => {
    const { source } = sound({ event: `\n    id: string\n    x: ${written}` })
    expect(source.event.fields.get('x')).toEqual({ type: expect.anything(), optional: false, default: value })
  })

  test.each([
    ['x: strng', 'unknown-type: There is no type "strng" | strng | string'],
    ['x: boolean', 'unknown-type: There is no type "boolean" | boolean | bool'],
    ['x: whatever', 'unknown-type: There is no type "whatever" | whatever'],
    ['x: string?', 'unknown-type: There is no type "string?" | string? | string'],
    ['x: decimal', 'unknown-type: There is no type "decimal" | decimal'],
    ['x: int = 1.5', 'literal-type: "1.5" is no int | 1.5'],
    ['x: basic | gold = silver', 'literal-type: "silver" is no basic | gold | silver'],
    ['x: decimal(2) = 0.125', 'literal-type: "0.125" is no decimal(2) | 0.125'],
    ['x: timestamp = 2026-02-30T00:00:00Z', 'literal-type: "2026-02-30T00:00:00Z" is no timestamp | 2026-02-30T00:00:00Z'],
    [
      'x?: int = 0',
      'default-and-optional: Field "x" has a default, so it can never be missing; remove the "?" or the default | int = 0',
    ],
  ])('%s', (written, line) => {
    expect(problems({ event: `\n    id: string\n    ${written}` })).toEqual([line])
  })
})
