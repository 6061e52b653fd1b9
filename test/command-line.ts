// Command lines of the scripts for those who work on sluice: `--help` says how a script is used, an unknown flag what was meant.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearest } from '../lib/scenario/suggestion.ts'

/** As util.parseArgs. Ends the process after `--help` (0) and where the command was used wrongly (2). */
export function readCommandLine<const Config extends ParseArgsConfig>(config: Config, usage: string) {
  const words = process.argv.slice(2)
  if (words.includes('--help')) {
    console.log(usage)
    process.exit(0)
  }
  const known = Object.keys(config.options ?? {})
  const unknown = words.flatMap(word => /^--([^=]+)/.exec(word)?.[1] ?? []).find(name => !known.includes(name))
  if (unknown !== undefined) {
    const meant = nearest(unknown, known)
    endWith(`There is no --${unknown}.${meant === undefined ? '' : ` Did you mean --${meant}?`}`, usage)
  }
  try {
    return parseArgs(config)
  } catch (error) {
    return endWith((error as Error).message, usage)
  }
}

function endWith(message: string, usage: string): never {
  console.error(`${message}\n\n${usage}`)
  process.exit(2)
}
