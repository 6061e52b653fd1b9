// Which folder may import which: the table of the architecture, and how a source file's imports are found.
import { posix } from 'node:path'

export interface SourceFile {
  /** Relative to the checkout, with slashes. */
  readonly file: string
  readonly text: string
}

interface Rule {
  /** A folder (with closing slash) or a file. */
  readonly from: string
  /** Folders and files of ours that it may import, itself aside where it is a folder. */
  readonly may: readonly string[] | 'everything'
  /** Stages: not even their neighbours. */
  readonly apart?: boolean
}

// From the values of expressions to their functions: the one part of lib/language that reaches run time.
const standard = 'lib/language/standard/'

// The first rule that fits a file holds for it.
export const rules: readonly Rule[] = [
  { from: standard, may: [] },
  { from: 'lib/language/', may: [] },
  { from: 'lib/plan/', may: [standard] },
  { from: 'lib/scenario/', may: ['lib/language/'] },
  { from: 'lib/compiler/', may: ['lib/scenario/', 'lib/language/', 'lib/plan/'] },
  // The flow of a batch, in three parts; what they hand to each other names types of all stages.
  ...['handler', 'stages', 'settlement', 'invocation'].map(flow => ({
    from: `lib/runtime/${flow}.ts`,
    may: ['lib/runtime/', 'lib/plan/', standard],
  })),
  {
    from: 'lib/runtime/',
    may: ['lib/plan/', standard, 'lib/runtime/event.ts', 'lib/runtime/ports.ts', 'lib/runtime/errors.ts'],
    apart: true,
  },
  // What a bundle begins with: a handler and the connectors that it is given.
  ...['world', 'embedded'].map(host => ({
    from: `lib/connectors/${host}.ts`,
    may: ['lib/runtime/', 'lib/connectors/', 'lib/plan/'],
  })),
  {
    from: 'lib/connectors/',
    may: ['lib/runtime/ports.ts', 'lib/runtime/errors.ts', 'lib/runtime/breaker.ts', 'lib/plan/plan.ts', 'lib/plan/identity.ts'],
  },
  { from: 'lib/emulator/', may: ['lib/runtime/event.ts'] },
  { from: 'lib/cli/', may: 'everything' },
  { from: 'infra/', may: 'everything' },
]

/** Sentences, one per forbidden import, with file and line. */
export function forbiddenImports(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ file, text }) => {
    const rule = rules.find(({ from }) => file.startsWith(from))
    if (rule === undefined) return [`${file}:1: no rule says what this folder may import; see test/imports.ts`]
    return importsOf(text).flatMap(({ specifier, line }) => {
      if (!specifier.startsWith('.')) return []
      const target = posix.join(posix.dirname(file), specifier)
      return mayImport(rule, file, target) ? [] : [`${file}:${line}: ${rule.from} may not import ${target}; ${allowance(rule)}`]
    })
  })
}

/** Static, dynamic and type imports, and re-exports. */
export function importsOf(text: string): readonly { readonly specifier: string; readonly line: number }[] {
  const pattern =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])(.+?)\1|^\s*import\s*(['"])(.+?)\3|\b(?:import|require)\(\s*(['"])(.+?)\5/gm
  return [...text.matchAll(pattern)].map(match => ({
    specifier: (match[2] ?? match[4] ?? match[6])!,
    line: text.slice(0, match.index + match[0].length).split('\n').length,
  }))
}

function mayImport(rule: Rule, file: string, target: string): boolean {
  if (rule.may === 'everything') return true
  if (rule.may.some(allowed => target.startsWith(allowed))) return true
  if (!rule.from.endsWith('/') || !target.startsWith(rule.from)) return false
  return !rule.apart || (posix.dirname(target) === posix.dirname(file) && posix.dirname(file) !== posix.dirname(rule.from + 'x'))
}

function allowance({ from, may, apart }: Rule): string {
  const itself = from.endsWith('/') && !apart ? [`${from} itself`] : []
  return `it may import ${[...itself, ...may].join(', ') || 'nothing of ours'}`
}
