import { join } from 'node:path'
import type { SealedSettings } from '../platform/worker-settings.ts'
import { below, ConfigError, key, type Place, path, type Reader, seconds, section } from './readers.ts'

/** What is configured of a function that is a bundle. */
export interface SealedConfig {
  /** Absolute. */
  readonly bundle: string
  readonly cacheSeconds: number
}

const BUNDLE = 'the path of a bundle, as `hotpotato seal` writes it'

/** Templates of functions that a worker can run. */
const JAVASCRIPT = /^(fetch|hono|express|node.*)$/

const keys = section({
  bundle: key('The file that `hotpotato seal` has written.', path(BUNDLE, undefined)),
  cacheSeconds: key('That a key is remembered after its last request; 0: not at all.', seconds(0, 3600, 0)),
})

/** `sealed: { bundle, cacheSeconds }`; undefined: the function is not sealed. */
export const sealed: Reader<SealedConfig | undefined> = Object.assign(
  (value: unknown, place: Place): SealedConfig | undefined => {
    if (value === undefined || value === null) return undefined
    const { bundle, cacheSeconds } = keys(value, place)
    if (bundle !== undefined) return { bundle, cacheSeconds }
    throw new ConfigError(`${place.path} must have bundle: ${BUNDLE}`, below(place, 'bundle').path)
  },
  { schema: keys.schema, keys: keys.keys! },
)

/** A sealed function has neither a module nor a program beside its bundle. @throws ConfigError */
export function sealedAlone(
  read: { readonly sealed: SealedConfig | undefined; readonly lang: string | undefined },
  given: ReadonlyMap<unknown, unknown>,
  place: Place,
): void {
  if (read.sealed === undefined) return
  const { lang } = read
  if (lang !== undefined && !JAVASCRIPT.test(lang))
    throw new ConfigError(
      `${place.path} is sealed, and a sealed function is JavaScript`,
      below(place, 'lang').path,
    )
  for (const name of ['handler', 'command'])
    if (given.get(name) !== undefined && given.get(name) !== null)
      throw new ConfigError(
        `${place.path} is sealed: its bundle says all, and ${name} has no place beside it`,
        below(place, name).path,
      )
}

/** What the container of a function is told of its bundle. @param whole the configuration */
export function sealedSettings(
  { name, sealed: one }: { readonly name: string; readonly sealed: SealedConfig | undefined },
  { runDirectory }: { readonly runDirectory: string },
): SealedSettings | undefined {
  if (one === undefined) return undefined
  const directory = join(runDirectory, 'sealed', name)
  return { bundle: one.bundle, cacheMilliseconds: one.cacheSeconds * 1000, directory }
}
