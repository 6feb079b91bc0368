import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Context } from '../../src/functions/contract.ts'
import { type Interpreted, type Launched, launch } from '../../src/functions/sealed/launch.ts'
import { giveKey } from '../../src/functions/sealed/request-key.ts'
import { type SealedModule, sealedFunction } from '../../src/functions/sealed/sealed-function.ts'
import { secretsIn } from '../../src/functions/secrets.ts'
import { toWebRequest } from '../../src/functions/web.ts'
import type { ForkSettings } from '../../src/platform/program-settings.ts'
import { wrapKey } from '../../src/sealed/age.ts'
import { writeArchive } from '../../src/sealed/archive.ts'
import { newDataKey, sealBundle } from '../../src/sealed/bundle.ts'
import { writeDataKey } from '../../src/sealed/credential.ts'
import type { Clock } from '../../src/time/clock.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { EMPTY, hex, utf8 } from '../../src/wire/index.ts'

const dataKey = newDataKey(node)
/** What a request brings to open what {@link bundleOf} has made. */
export const RIGHT_KEY = writeDataKey(dataKey)
const entry = pathToFileURL(join(import.meta.dirname, '../../dist/src/containers/sealed/main.js'))
const note = (): void => {}

/** Wraps the key of what {@link bundleOf} makes. */
export const wrappedFor = (recipients: readonly string[]): Promise<Uint8Array> => wrapKey(dataKey, recipients)

/** A bundle with one module, or with files by their paths, of which the first one is the function. */
export function bundleOf(
  source: string | Readonly<Record<string, string>>,
  wrappedKey: Uint8Array = EMPTY,
): Uint8Array {
  const named = typeof source === 'string' ? { 'a.mjs': source } : source
  const files = Object.entries(named).map(([path, text]) => ({ path, content: utf8(text) }))
  const content = writeArchive({ entry: files[0]!.path, files })
  return sealBundle({ name: 'vault', version: '', content, dataKey, wrappedKey }, node)
}

const FORK: ForkSettings = {
  pool: 0,
  most: 8,
  outputBytes: 1_000_000,
  contentType: undefined,
  combineOutput: false,
  writeDebug: false,
  cgiHeaders: true,
  marshal: false,
}

interface Ways {
  readonly cacheMilliseconds?: number
  readonly warm?: number
  readonly clock?: Clock
  /** Its language, with what runs it. */
  readonly lang?: string
  readonly python?: Interpreted
  /** Told of each process that is started. */
  readonly onLaunch?: (launched: Launched) => void
  /** Told of what the function and its worker log. */
  readonly onLog?: (message: string) => void
}

/** The function of a bundle, whose workers are real processes. */
export function functionOf(bundle: Uint8Array, ways: Ways = {}): SealedModule {
  const { cacheMilliseconds = 0, warm = 0, clock = SYSTEM_CLOCK, lang, python, onLog, onLaunch } = ways
  const said = (...words: unknown[]): void => onLog?.(String(words.at(-1)))
  const kept = new Map<string, Uint8Array>()
  return sealedFunction({
    functionName: 'vault',
    file: 'vault.potato',
    bundle,
    lang,
    fork: python === undefined ? undefined : FORK,
    cacheMilliseconds,
    warm,
    timeout: 0,
    crypto: node,
    clock,
    log: { debug: said, info: said, warn: said, error: said },
    keeper: {
      load: async name => kept.get(hex(name)),
      save: async (name, value) =>
        void (value.length === 0 ? kept.delete(hex(name)) : kept.set(hex(name), value)),
    },
    launch: () => {
      const launched = launch(entry, [], python, probe().available ? new URL('./lock.js', entry) : undefined)
      onLaunch?.(launched)
      return launched
    },
  })
}

/** What a request says beside its key. */
interface Asked {
  readonly target?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string
}

/** One request to it. @param key undefined: it brings none */
export async function ask(
  module: SealedModule,
  key: string | undefined = RIGHT_KEY,
  { target = '/', headers = [], body }: Asked = {},
): Promise<Response> {
  const context = {
    functionName: 'vault',
    functionPath: target.split('?')[0],
    callId: 'one',
    functions: ['vault'],
    connection: { tls: true, hops: 0, requestIndex: 0, container: 'vault-1' },
    secrets: secretsIn(undefined),
    log: { debug: note, info: note, warn: note, error: note },
  } as unknown as Context
  if (key !== undefined) giveKey(context, utf8(key))
  const [path = '', query = ''] = target.split('?')
  const base = {
    method: body === undefined ? 'GET' : 'POST',
    target,
    version: '1.1',
    headers,
    host: 'a',
    path,
    query,
  } as const
  const content = body === undefined ? undefined : utf8(body)
  const request = toWebRequest(base, content, { scheme: 'https', authority: 'a' })
  if (module.kind !== 'fetch') throw new Error('a sealed function is asked by fetch')
  return module.fetch(request, { GREETING: 'hello' }, context)
}
