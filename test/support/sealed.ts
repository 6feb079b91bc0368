import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Context } from '../../src/functions/contract.ts'
import { launch } from '../../src/functions/sealed/launch.ts'
import { giveKey } from '../../src/functions/sealed/request-key.ts'
import { type SealedModule, sealedFunction } from '../../src/functions/sealed/sealed-function.ts'
import { secretsIn } from '../../src/functions/secrets.ts'
import { toWebRequest } from '../../src/functions/web.ts'
import { writeArchive } from '../../src/sealed/archive.ts'
import { newDataKey, sealBundle } from '../../src/sealed/bundle.ts'
import { writeDataKey } from '../../src/sealed/credential.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { EMPTY, utf8 } from '../../src/wire/index.ts'

const dataKey = newDataKey(node)
/** What a request brings to open what {@link bundleOf} has made. */
export const RIGHT_KEY = writeDataKey(dataKey)
const entry = pathToFileURL(join(import.meta.dirname, '../../dist/src/containers/sealed/main.js'))
const note = (): void => {}
const log = { debug: note, info: note, warn: note, error: note }

/** A bundle with one module. */
export function bundleOf(source: string): Uint8Array {
  const content = writeArchive({ entry: 'a.mjs', files: [{ path: 'a.mjs', content: utf8(source) }] })
  return sealBundle({ name: 'vault', version: '', content, dataKey, wrappedKey: EMPTY }, node)
}

/** The function of a bundle, whose workers are real processes. */
export function functionOf(bundle: Uint8Array, cacheMilliseconds = 0): SealedModule {
  return sealedFunction({
    functionName: 'vault',
    file: 'vault.potato',
    bundle,
    cacheMilliseconds,
    timeout: 0,
    crypto: node,
    clock: SYSTEM_CLOCK,
    log,
    keeper: { load: async () => undefined, save: async () => {} },
    launch: () => launch(entry),
  })
}

/** One request to it. @param key undefined: it brings none */
export async function ask(module: SealedModule, key: string | undefined = RIGHT_KEY): Promise<Response> {
  const context = {
    functionName: 'vault',
    functionPath: '/',
    callId: 'one',
    functions: ['vault'],
    connection: { tls: true, hops: 0, requestIndex: 0, container: 'vault-1' },
    secrets: secretsIn(undefined),
    log,
  } as unknown as Context
  if (key !== undefined) giveKey(context, utf8(key))
  const base = {
    method: 'GET',
    target: '/',
    version: '1.1',
    headers: [],
    host: 'a',
    path: '/',
    query: '',
  } as const
  const request = toWebRequest(base, undefined, { scheme: 'https', authority: 'a' })
  if (module.kind !== 'fetch') throw new Error('a sealed function is asked by fetch')
  return module.fetch(request, { GREETING: 'hello' }, context)
}
