import { join } from 'node:path'
import type { ForkSettings } from '../platform/program-settings.ts'
import type { SealedSettings } from '../platform/worker-settings.ts'
import { OUTPUT_BYTES } from './program/program.ts'
import {
  below,
  ConfigError,
  key,
  type Place,
  path,
  type Reader,
  reader,
  seconds,
  section,
  whole,
} from './readers.ts'

/** What is configured of a function that is a bundle. */
export interface SealedConfig {
  /** Absolute. */
  readonly bundle: string
  readonly cacheSeconds: number
  readonly warm: number
}

const BUNDLE = 'the path of a bundle, as `hotpotato seal` writes it'

/** Templates of functions that a worker can run. */
const RUN_HERE = /^(fetch|hono|express|node.*|python3?|python3-debian|python3-http|python3-http-debian)$/
/** What belongs to a function that has a module or a program beside its bundle. */
const ELSEWHERE = ['handler', 'command', 'mode', 'pool', 'ready', 'health']

const keys = section({
  bundle: key('The file that `hotpotato seal` has written.', path(BUNDLE, undefined)),
  cacheSeconds: key('That a key is remembered after its last request; 0: not at all.', seconds(0, 3600, 0)),
  warm: key(
    'Empty processes that are started ahead, each for one key: a request need not wait for a start.',
    whole(0, 16, 1),
  ),
})

/** `sealed: { bundle, cacheSeconds, warm }`; undefined: the function is not sealed. */
export const sealed: Reader<SealedConfig | undefined> = reader(
  keys.schema,
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const { bundle, cacheSeconds, warm } = keys(value, place)
    if (bundle !== undefined) return { bundle, cacheSeconds, warm }
    throw new ConfigError(`${place.path} must have bundle: ${BUNDLE}`, below(place, 'bundle').path)
  },
  keys,
)

/** Whether a process each request serves it. */
export function isSealedPython(read: {
  readonly sealed: unknown
  readonly lang: string | undefined
}): boolean {
  return read.sealed !== undefined && read.lang?.startsWith('python') === true
}

/** A sealed function has neither a module nor a program beside its bundle. @throws ConfigError */
export function sealedAlone(
  read: { readonly sealed: SealedConfig | undefined; readonly lang: string | undefined },
  given: ReadonlyMap<unknown, unknown>,
  place: Place,
): void {
  if (read.sealed === undefined) return
  const { lang } = read
  if (lang !== undefined && !RUN_HERE.test(lang))
    throw new ConfigError(
      `${place.path} is sealed, and a sealed function is JavaScript, or lang: python3 or python3-http`,
      below(place, 'lang').path,
    )
  for (const name of ELSEWHERE)
    if (given.get(name) !== undefined && given.get(name) !== null)
      throw new ConfigError(
        `${place.path} is sealed: its bundle says all, and ${name} has no place beside it`,
        below(place, name).path,
      )
}

/** The part of a function that matters here. */
interface SealedPart {
  readonly name: string
  readonly sealed: SealedConfig | undefined
  /** Of one in Python. */
  readonly sealedFork: Omit<ForkSettings, 'outputBytes'> | undefined
}

/** What the container of a function is told of its bundle. @param whole the configuration */
export function sealedSettings(
  { name, sealed: one, sealedFork }: SealedPart,
  { runDirectory }: { readonly runDirectory: string },
): SealedSettings | undefined {
  if (one === undefined) return undefined
  const directory = join(runDirectory, 'sealed', name)
  const fork = sealedFork === undefined ? undefined : { ...sealedFork, outputBytes: OUTPUT_BYTES }
  return { bundle: one.bundle, cacheMilliseconds: one.cacheSeconds * 1000, warm: one.warm, directory, fork }
}
