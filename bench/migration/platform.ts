import { fileURLToPath } from 'node:url'
import { SERVER_NAME } from '../engines/engine.ts'
import { Platform } from '../rig/platform.ts'
import type { SceneOptions } from './rows.ts'
import { tourOf } from './wanderer.ts'

/** The kinds of handler; a container for each function, as `raw-a-1`. */
const KINDS = ['raw', 'fetch'] as const
type Kind = (typeof KINDS)[number]

/** Starts the platform that a scene measures. @throws Error what kept it from starting */
export function startPlatform(options: SceneOptions): Promise<Platform> {
  const { provider, channel, carrier, rehearsals, rawFunction, profiles, containers } = options
  const modules: Record<Kind, string> = {
    raw: rawFunction ?? compiled('../rig/functions/twice-raw.js'),
    fetch: compiled('../rig/functions/twice-fetch.js'),
  }
  const functions = KINDS.flatMap(kind =>
    tourOf(kind, kind === 'raw' ? containers : 2).map(name => [name, { handler: modules[kind] }] as const),
  )
  return Platform.start({
    certificate: [...functions.map(([name]) => `${name}.local`), SERVER_NAME],
    functions: Object.fromEntries(functions),
    settings: {
      ...(rehearsals === undefined ? {} : { rehearsals }),
      // Only what is not the default: a platform without relays does not know the key.
      ...(carrier === 'fd' ? {} : { carrier }),
    },
    provider,
    channel,
    preparation: directory => ({
      unsealed: options.seal === 'off',
      ...(profiles === undefined ? {} : { profiles }),
      ...(options.marks ? { marks: directory } : {}),
    }),
  })
}

/** @returns why a platform of such a kind cannot be, undefined if it can */
export function cannotBe({ carrier }: Pick<SceneOptions, 'carrier'>): string | undefined {
  if (carrier === 'fd' || Platform.refuses({ carrier }) === undefined) return undefined
  return 'the platform carries connections by descriptor only'
}

function compiled(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
