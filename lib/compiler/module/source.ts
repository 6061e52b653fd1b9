// Key and headers of the source's records.
import type { Type } from '../../language/types.ts'
import { jsonDecoder, textDecode } from '../decoder.ts'
import { literalCode } from '../module-text.ts'
import type { Scope } from './scope.ts'
import { objectCode } from './values.ts'

export function keyDecoder(scope: Scope, type: Type): string {
  const decode = scope.module.freeName('decodeKey')
  if (type.kind === 'object') {
    scope.module.add(`function ${decode}(bytes) {
  if (bytes === null) return missingField('key', 'object', null)
  return decodeJsonKey(bytes, ${jsonDecoder(scope.module, type)})
}`)
    return decode
  }
  scope.module.add(`function ${decode}(bytes) {
  if (bytes === null) return missingField('key', ${JSON.stringify(type.kind)}, null)
  const text = textOfBytes(bytes)
  const key = text === undefined ? undefined : ${textDecode(scope.module, type, 'text')}
  return key === undefined ? wrongType('key', ${JSON.stringify(type.kind)}, '') : key
}`)
  return decode
}

export function headersDecoder(scope: Scope, type: Type & { kind: 'object' }): string {
  const decode = scope.module.freeName('decodeHeaders')
  const fields = [...type.fields].map(([field, declared], index) => {
    const f = `f${index}`
    const path = JSON.stringify(`headers.${field}`)
    const absent =
      declared.default !== undefined
        ? `${f} = ${literalCode(declared.default)}`
        : declared.optional
          ? ''
          : `return missingField(${path}, ${JSON.stringify(declared.type.kind)}, undefined)`
    // Of repeated headers the last counts.
    return `  const t${index} = headers.findLast(header => header.name === ${JSON.stringify(field)} && header.value !== null)
  let ${f}
  if (t${index} === undefined) { ${absent} }
  else {
    const text = textOfBytes(t${index}.value)
    ${f} = text === undefined ? undefined : ${textDecode(scope.module, declared.type, 'text')}
    if (${f} === undefined) return wrongType(${path}, ${JSON.stringify(declared.type.kind)}, '')
  }`
  })
  scope.module.add(
    `function ${decode}(headers) {\n${fields.join('\n')}\n  return ${objectCode(type.fields, index => `f${index}`)}\n}`,
  )
  return decode
}
