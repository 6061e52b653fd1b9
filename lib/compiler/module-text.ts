// The text of one generated module while it grows: functions and constants, each under a name of its own.

export class ModuleText {
  readonly #declarations: string[] = []
  readonly #shared = new Map<string, string>()
  readonly #names = new Set<string>()

  /** A declaration that is made once for all who ask with the same identity; gives its name. It may refer to itself. */
  shared(identity: string, prefix: string, declaration: (name: string) => string): string {
    const known = this.#shared.get(identity)
    if (known !== undefined) return known
    const name = this.freeName(prefix)
    this.#shared.set(identity, name)
    this.#declarations.push(declaration(name))
    return name
  }

  /** A declaration of its own. */
  add(declaration: string): void {
    this.#declarations.push(declaration)
  }

  /** A module-level constant with this JavaScript as value; equal ones are one. */
  constant(prefix: string, code: string): string {
    return this.shared(`constant ${code}`, prefix, name => `const ${name} = ${code}`)
  }

  /** `prefix_word`, made an identifier that nothing else in the module has. */
  freeName(prefix: string, word = ''): string {
    const base = `${prefix}${word === '' ? '' : '_'}${word.replace(/[^A-Za-z0-9_$]/g, '_')}`
    let name = base
    for (let n = 2; this.#names.has(name); n++) name = `${base}_${n}`
    this.#names.add(name)
    return name
  }

  get text(): string {
    return this.#declarations.join('\n\n')
  }
}

/** JavaScript of a run-time value (language/standard/values.ts): literals of tables, defaults. */
export function literalCode(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(literalCode).join(', ')}]`
  if (value instanceof Map) return `new Map([${[...value].map(([k, v]) => `[${literalCode(k)}, ${literalCode(v)}]`).join(', ')}])`
  const object = value as object
  switch (object.constructor.name) {
    case 'Timestamp':
    case 'Duration': {
      const { seconds, nanos } = object as { seconds: number; nanos: number }
      return `new std.${object.constructor.name}(${seconds}, ${nanos})`
    }
    case 'Uint':
      return `new std.Uint(${(object as { value: bigint }).value}n)`
    case 'Object':
      return objectLiteral(Object.entries(object).map(([name, v]) => [name, literalCode(v)]))
    default:
      throw new Error(`no literal form for a ${object.constructor.name}`)
  }
}

/** JavaScript of an object with these members. V8 makes it in one step, unlike one with computed names; only "__proto__" needs one to be a field. */
export function objectLiteral(members: readonly (readonly [name: string, code: string])[]): string {
  return `{ ${members.map(([name, code]) => `${name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)}: ${code}`).join(', ')} }`
}
