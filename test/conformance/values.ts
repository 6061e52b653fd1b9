// Values of the conformance suite (protobuf) and ours, in one comparable form.
import { type Type as ProtoType, Type_PrimitiveType, Type_WellKnownType } from '@bufbuild/cel-spec/cel/expr/checked_pb.js'
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js'
import { createRegistry } from '@bufbuild/protobuf'
import { anyUnpack, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import * as std from '../../lib/language/standard/index.ts'
import type { Type } from '../../lib/language/types.ts'

/** The suite needs something that the language does not have on purpose; the message says what. */
export class Unsupported extends Error {}

/** A text that two equal values share: `int 1`, `[double 1.5]`. */
export type Described = string

export function describeExpected(value: Value): Described {
  const { kind } = value
  switch (kind.case) {
    case 'nullValue':
      return 'null'
    case 'boolValue':
      return String(kind.value)
    case 'int64Value':
      return `int ${kind.value}`
    case 'uint64Value':
      return `uint ${kind.value}`
    case 'doubleValue':
      return `double ${kind.value + 0}`
    case 'stringValue':
      return JSON.stringify(kind.value)
    case 'bytesValue':
      return `bytes ${Buffer.from(kind.value).toString('hex')}`
    case 'listValue':
      return `[${kind.value.values.map(describeExpected).join(', ')}]`
    case 'mapValue':
      return describeMap(kind.value.entries.map(entry => [describeExpected(entry.key!), describeExpected(entry.value!)]))
    case 'typeValue':
      return `type ${kind.value}`
    case 'objectValue': {
      const message = anyUnpack(kind.value, wellKnown)
      if (message?.$typeName === 'google.protobuf.Timestamp') {
        const { seconds, nanos } = message as unknown as { seconds: bigint; nanos: number }
        return `timestamp ${seconds} ${nanos}`
      }
      if (message?.$typeName === 'google.protobuf.Duration') {
        const { seconds, nanos } = message as unknown as { seconds: bigint; nanos: number }
        return `duration ${seconds} ${nanos}`
      }
      throw new Unsupported('protobuf messages: scenarios have JSON')
    }
    default:
      throw new Unsupported('protobuf messages: scenarios have JSON')
  }
}

const wellKnown = createRegistry(TimestampSchema, DurationSchema)

/** Of a value that an expression of that type gave. */
export function describeFound(value: unknown, type: Type): Described {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (type.kind === 'double' && typeof value === 'number') return `double ${value + 0}`
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'number':
    case 'bigint':
      // One canonical form per value is part of the contract.
      if (typeof value === 'number' ? !Number.isSafeInteger(value) : Number.isSafeInteger(Number(value)))
        return `int ${value}, not canonical`
      return `int ${value}`
    case 'string':
      return JSON.stringify(value)
  }
  if (value instanceof std.Double) return `double ${value.value + 0}`
  if (value instanceof std.Uint) return `uint ${value.value}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (value instanceof std.Timestamp) return `timestamp ${value.seconds} ${value.nanos}`
  if (value instanceof std.Duration) return `duration ${value.seconds} ${value.nanos}`
  if (value instanceof std.TypeName) return `type ${value.name}`
  if (value instanceof std.Optional) {
    const inner: Type = type.kind === 'optional' ? type.value : dyn
    return value === std.Optional.none ? 'optional none' : `optional ${describeFound(value.value, inner)}`
  }
  if (Array.isArray(value))
    return `[${value.map(element => describeFound(element, type.kind === 'list' ? type.element : dyn)).join(', ')}]`
  if (value instanceof Map) {
    const [keyType, valueType] = type.kind === 'map' ? [type.key, type.value] : [dyn, dyn]
    return describeMap([...value].map(([key, element]) => [describeFound(key, keyType), describeFound(element, valueType)]))
  }
  return `object ${Object.keys(value as object).join(', ')}`
}

function describeMap(entries: readonly (readonly [string, string])[]): Described {
  return `{${entries
    .map(([key, value]) => `${key}: ${value}`)
    .sort()
    .join(', ')}}`
}

const dyn: Type = { kind: 'dyn' }

/** Doubles are wrapped where the type is dyn (values.ts of the standard). */
export function runtimeValue(value: Value, type: Type): unknown {
  const { kind } = value
  switch (kind.case) {
    case 'nullValue':
      return null
    case 'boolValue':
    case 'stringValue':
    case 'bytesValue':
      return kind.value
    case 'int64Value':
      return std.canonicalInt(kind.value)
    case 'uint64Value':
      return new std.Uint(kind.value)
    case 'doubleValue':
      return type.kind === 'double' ? kind.value : new std.Double(kind.value)
    case 'listValue':
      return kind.value.values.map(element => runtimeValue(element, type.kind === 'list' ? type.element : dyn))
    case 'mapValue': {
      const [keyType, valueType] = type.kind === 'map' ? [type.key, type.value] : [dyn, dyn]
      return new Map(kind.value.entries.map(entry => [runtimeValue(entry.key!, keyType), runtimeValue(entry.value!, valueType)]))
    }
    case 'typeValue':
      return new std.TypeName(kind.value)
    case 'objectValue': {
      const message = anyUnpack(kind.value, wellKnown)
      const { seconds, nanos } = (message ?? {}) as unknown as { seconds: bigint; nanos: number }
      if (message?.$typeName === 'google.protobuf.Timestamp') return new std.Timestamp(Number(seconds), nanos)
      if (message?.$typeName === 'google.protobuf.Duration') return new std.Duration(Number(seconds), nanos)
      throw new Unsupported('protobuf messages: scenarios have JSON')
    }
    default:
      throw new Unsupported('protobuf messages: scenarios have JSON')
  }
}

export function typeOfDeclaration(type: ProtoType | undefined): Type {
  const kind = type?.typeKind
  switch (kind?.case) {
    case 'dyn':
      return dyn
    case 'null':
      return { kind: 'null' }
    case 'primitive':
      switch (kind.value) {
        case Type_PrimitiveType.BOOL:
          return { kind: 'bool' }
        case Type_PrimitiveType.INT64:
          return { kind: 'int' }
        case Type_PrimitiveType.UINT64:
          return { kind: 'uint' }
        case Type_PrimitiveType.DOUBLE:
          return { kind: 'double' }
        case Type_PrimitiveType.STRING:
          return { kind: 'string' }
        case Type_PrimitiveType.BYTES:
          return { kind: 'bytes' }
        default:
          return dyn
      }
    case 'wellKnown':
      switch (kind.value) {
        case Type_WellKnownType.TIMESTAMP:
          return { kind: 'timestamp', unit: 'rfc3339' }
        case Type_WellKnownType.DURATION:
          return { kind: 'duration' }
        default:
          return dyn
      }
    case 'listType':
      return { kind: 'list', element: typeOfDeclaration(kind.value.elemType) }
    case 'mapType':
      return { kind: 'map', key: typeOfDeclaration(kind.value.keyType), value: typeOfDeclaration(kind.value.valueType) }
    case 'messageType':
      if (kind.value === 'google.protobuf.Timestamp') return { kind: 'timestamp', unit: 'rfc3339' }
      if (kind.value === 'google.protobuf.Duration') return { kind: 'duration' }
      if (kind.value === 'google.protobuf.Value' || kind.value === 'google.protobuf.Any') return dyn
      throw new Unsupported('protobuf messages: scenarios have JSON')
    case 'type':
      return { kind: 'type' }
    case 'abstractType': {
      const [value] = kind.value.parameterTypes
      if (kind.value.name !== 'optional_type') throw new Unsupported('abstract types that the test declares')
      return { kind: 'optional', value: typeOfDeclaration(value) }
    }
    default:
      throw new Unsupported('protobuf messages: scenarios have JSON')
  }
}
