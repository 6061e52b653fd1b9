// What stands beside a scenario: the files that it names (shared parts, tables, a schema), by paths relative to its own file.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

export interface Folder {
  /** Throws where it cannot be read. */
  readonly readFile: (path: string) => string
  /** Of a folder below, in order; none where there is no such folder. */
  readonly fileNames: (path: string) => readonly string[]
}

export function folderOf(scenarioFile: string): Folder {
  const place = resolve(dirname(scenarioFile))
  return {
    readFile: path => readFileSync(resolve(place, path), 'utf8'),
    fileNames: path => {
      try {
        return readdirSync(resolve(place, path)).sort()
      } catch {
        return []
      }
    },
  }
}
