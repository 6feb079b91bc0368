import { statSync } from 'node:fs'
import { key, path, type Reader, reader, refuse, section, truth } from './readers.ts'

/** What the shipped function `files` shows. */
export interface Files {
  /** The path of the directory. */
  readonly directory: string
  /** Whether its HTML files are sent as pages; otherwise they are shown as text like all others. */
  readonly html: boolean
}

const directory = path('the path of a directory', undefined)
const keys = section({
  directory: key('The directory, as a path.', directory),
  html: key('Whether HTML files are sent as they are, scripts and all, not shown as text.', truth(false)),
})

/** A path, or a map that has one. @throws ConfigError there is no such directory */
export const files: Reader<Files | undefined> = reader(
  { anyOf: [directory.schema, keys.schema] },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const read =
      value instanceof Map ? keys(value, place) : { directory: directory(value, place), html: false }
    const shown = read.directory
    if (shown === undefined || statSync(shown, { throwIfNoEntry: false })?.isDirectory() !== true)
      return refuse(place.path, 'the path of a directory that exists', shown ?? value)
    return { directory: shown, html: read.html }
  },
  keys,
)

/** The settings of the function, as it reads them. */
export function filesEnvironment(files: Files | undefined): Readonly<Record<string, string>> {
  if (files === undefined) return {}
  return { FILES_DIRECTORY: files.directory, FILES_HTML: String(files.html) }
}
