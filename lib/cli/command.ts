// What a command is: a module of this folder exports one as `command`, and main.ts reads its flags, prints its help and runs it.

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** After `npx sluice `: `check [FILE…]`. */
  readonly usage: string
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  readonly flags: Readonly<Record<string, Flag>>
  /** How many arguments without a flag it takes. */
  readonly arguments: { readonly minimum: number; readonly maximum: number }
  readonly run: (input: Input, terminal: Terminal) => Promise<ExitCode>
}

export type Flag =
  | { readonly kind: 'switch'; readonly about: string }
  | { readonly kind: 'value'; readonly about: string; readonly placeholder: string; readonly values?: readonly string[] }

/** Flags that were given; a switch has the value 'true'. */
export interface Input {
  readonly arguments: readonly string[]
  readonly flags: ReadonlyMap<string, string>
}

/** 0: fine. 1: found something. 2: wrong use. */
export type ExitCode = 0 | 1 | 2

export interface Terminal {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  readonly colors: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Ends `--watch` and servers. */
  readonly stop: AbortSignal
}

/** Wrong use: told in one line, exit code 2. */
export class UsageError extends Error {}
