// Commands as Redis reads them: arrays of bulk strings, each with its length in front, so that no key and no argument can become a command.
// An encoded command is a "byte text": each character stands for one byte (latin1). Concatenating and writing such texts is what V8 does
// best: a buffer per key costs three times as much.

/** A script that servers know by its SHA-1 once they have seen it. */
export interface Script {
  readonly text: string
  /** 40 hexadecimal digits, lower case. */
  readonly sha: string
}

export type Argument = string | number | bigint | Uint8Array

export interface Command {
  readonly text: string
  /** What a cluster routes it by; undefined: any node. */
  readonly key?: string | undefined
  /** Sent in place of `text` where the server answers NOSCRIPT, which is seldom: a script may have 10 KB. */
  readonly whole?: () => string
}

/** Commands in order, encoded when their turn comes: a server is at work on the first while the last is not written yet. */
export interface Texts {
  readonly count: number
  textOf(index: number): string
}

/** The same of commands that may have to be routed, or sent as a whole: see `Command`. */
export interface Commands extends Texts {
  keyOf(index: number): string | undefined
  wholeOf(index: number): string | undefined
}

/** Commands that are encoded already. */
export function textsOf(texts: readonly string[]): Texts {
  return { count: texts.length, textOf: index => texts[index]! }
}

/** Commands of several kinds, each made by itself. */
export function listed(commands: readonly Command[]): Commands {
  return {
    count: commands.length,
    textOf: index => commands[index]!.text,
    keyOf: index => commands[index]!.key,
    wholeOf: index => commands[index]!.whole?.(),
  }
}

/** Those of these indexes. */
export function picked(commands: Commands, indexes: readonly number[]): Commands {
  return {
    count: indexes.length,
    textOf: position => commands.textOf(indexes[position]!),
    keyOf: position => commands.keyOf(indexes[position]!),
    wholeOf: position => commands.wholeOf(indexes[position]!),
  }
}

export function encode(...words: readonly Argument[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += bulk(word)
  return text
}

export function bulk(word: Argument): string {
  const bytes = typeof word === 'string' ? byteText(word) : bytesOf(word)
  return `$${bytes.length}\r\n${bytes}\r\n`
}

/** A script's call by its SHA-1, and whole for a server that does not know it. Keys decide the node in a cluster: all in one slot. */
export function scriptCall(script: Script, keys: readonly string[], args: readonly Argument[]): Command {
  // Not spread into a call: a batch of state may have more words than the stack holds.
  let rest = bulk(keys.length)
  for (const key of keys) rest += bulk(key)
  for (const arg of args) rest += bulk(arg)
  const head = `*${3 + keys.length + args.length}\r\n`
  return {
    text: head + bulk('EVALSHA') + bulk(script.sha) + rest,
    whole: () => head + bulk('EVAL') + bulk(script.text) + rest,
    key: keys[0],
  }
}

/** UTF-8, a character per byte. */
export function byteText(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'utf8').toString('latin1')
  return text
}

function bytesOf(word: number | bigint | Uint8Array): string {
  return word instanceof Uint8Array ? Buffer.from(word.buffer, word.byteOffset, word.byteLength).toString('latin1') : String(word)
}
