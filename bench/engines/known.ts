import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineRefusal } from './engine.ts'

const BUILT = import.meta.url.includes('/dist/')
/** `dist/bench`, and `bench` itself, whether this file runs as source or compiled. */
const COMPILED = new URL(BUILT ? '../' : '../../dist/bench/', import.meta.url)
const SOURCES = new URL(BUILT ? '../../../bench/' : '../', import.meta.url)

const compiled = (path: string): string => fileURLToPath(new URL(path, COMPILED))

/** Engines of this project: `warm` is the platform whose containers keep what they have given away. */
const OWN: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    floor: [compiled('floor/engine.js')],
    platform: [compiled('engines/platform.js')],
    warm: [compiled('engines/platform.js'), 'warm'],
    tiny: [compiled('engines/tiny.js')],
  }),
)

/**
 * Engines in C over other libraries, as `bench/engines/owners.c` makes them, and how to get one that is not
 * there.
 */
const IN_C: ReadonlyMap<string, string> = new Map(
  Object.entries({
    wolfssl: 'not built here: sh bench/engines/wolfssl/build.sh',
    picotls: 'Debian has no source package of it: docs/bench-engines.md says how to add it',
    's2n-tls': 'Debian has no source package of it: docs/bench-engines.md says how to add it',
  }),
)

/** The program of an engine in C. */
export function builtBy(name: string): string {
  return fileURLToPath(new URL(`engines/build/${name}`, SOURCES))
}

/**
 * What a name in `--engines` stands for: an engine of ours, one in C, or else a command with its words.
 * @throws EngineRefusal it has not been built here
 */
export function commandOf(name: string): readonly string[] {
  const own = OWN.get(name)
  if (own !== undefined) return own
  const howToGet = IN_C.get(name)
  if (howToGet === undefined) return name.split(' ')
  const program = builtBy(name)
  if (!existsSync(program)) throw new EngineRefusal(howToGet)
  return [program]
}

/** Why a name in `--engines` can be no engine, whatever is built here; undefined if it can. */
export function nonsenseIn(name: string): string | undefined {
  if (OWN.has(name) || IN_C.has(name)) return undefined
  const [program = ''] = name.split(' ')
  const known = [...OWN.keys(), ...IN_C.keys()].join(', ')
  if (!program.includes('/')) {
    const places = (process.env.PATH ?? '').split(delimiter).map(directory => join(directory, program))
    if (program !== '' && places.some(isProgram)) return undefined
    return `${name} is neither an engine that is known here (${known}) nor a command`
  }
  if (!existsSync(program)) return `${program} is not there`
  // Node runs them.
  if (/\.m?js$/.test(program) || isProgram(program)) return undefined
  return `${program} cannot be run: an engine is a program, a file of JavaScript, or one of ${known}`
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What stands beside the platform unless something else is asked for: what is not built is named. */
export const USUAL_ENGINES: readonly string[] = ['warm', 'floor', ...IN_C.keys()]
