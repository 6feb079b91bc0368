import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isFunctionName } from '../platform/function-name.ts'
import type { BareHandler, FetchHandler, RawHandler } from './contract.ts'
import { installGlobals, prepare } from './light/globals.ts'
import { type FunctionModule, functionModule } from './module.ts'
import type { WebSocketFunction } from './web-socket.ts'

/** A function that cannot be loaded; the message says why. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  readonly reason: 'invalid_name' | 'missing' | 'unloadable' | 'wrong_export'

  constructor(reason: FunctionError['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/**
 * Loads a function: by its name from the shipped ones, or from a module's file (anything with a slash or an
 * ending). From then on `Request`, `Response`, `Headers` and `fetch` of this process are the light ones.
 * @param base the directory that relative paths start from
 * @throws FunctionError
 */
export async function loadFunction(nameOrPath: string, base = process.cwd()): Promise<FunctionModule> {
  const file = locate(nameOrPath, base)
  if (!existsSync(file)) {
    const message = isFunctionName(nameOrPath)
      ? `the function ${JSON.stringify(nameOrPath)} has no module: ${file} does not exist; ` +
        'a function of your own needs the path of its module (handler: ./NAME.mjs)'
      : `${file} does not exist: the path of a handler starts at the folder of the configuration`
    throw new FunctionError('missing', message)
  }
  let module: {
    readonly default?: unknown
    readonly webSocket?: unknown
    readonly webSocketProtocols?: unknown
  }
  installGlobals()
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    // What the engine says of a syntax error names no line.
    const where = error instanceof SyntaxError ? '; node --check shows where' : ''
    throw new FunctionError('unloadable', `${file} cannot be loaded: ${messageOf(error)}${where}`, error)
  }
  const loaded = functionModule({ ...recognise(module.default, file), ...webSocketOf(module, file) })
  // Otherwise the first request would wait for it.
  if (loaded.kind === 'fetch') prepare()
  return loaded
}

function webSocketOf(
  { webSocket, webSocketProtocols }: { readonly webSocket?: unknown; readonly webSocketProtocols?: unknown },
  file: string,
): Pick<FunctionModule, 'webSocket' | 'webSocketProtocols'> {
  if (webSocket === undefined) return {}
  const names = webSocketProtocols ?? []
  if (
    typeof webSocket !== 'function' ||
    !Array.isArray(names) ||
    !names.every(one => typeof one === 'string')
  ) {
    const shapes =
      'webSocket must be a function (socket, context, state), and webSocketProtocols a list of names'
    throw new FunctionError('wrong_export', `${file}: ${shapes}`)
  }
  return { webSocket: webSocket as WebSocketFunction, webSocketProtocols: names }
}

function locate(nameOrPath: string, base: string): string {
  if (isFunctionName(nameOrPath)) {
    // The shipped functions are neighbours, compiled as this file is.
    const ending = extname(fileURLToPath(import.meta.url))
    return fileURLToPath(new URL(`./shipped/${nameOrPath}${ending}`, import.meta.url))
  }
  if (!/[/\\.]/.test(nameOrPath) || nameOrPath.includes('\0')) {
    const rule = '1 to 63 of a-z, 0-9 and -, with no - at either end; a path needs a slash or an ending'
    throw new FunctionError(
      'invalid_name',
      `${JSON.stringify(nameOrPath)} is not the name of a function: ${rule}`,
    )
  }
  return resolve(base, nameOrPath)
}

function recognise(exported: unknown, file: string): FunctionModule {
  if (typeof exported === 'function' && !isClass(exported)) {
    const bare = exported as BareHandler
    return { kind: 'fetch', file, fetch: (request, _env, context) => bare(request, context) }
  }
  const object = (typeof exported === 'object' && exported !== null ? exported : {}) as Partial<
    FetchHandler & RawHandler
  >
  // Called as methods, because some applications are instances of a class. `fetch` wins: some have a `handle`
  // besides.
  if (typeof object.fetch === 'function') {
    return { kind: 'fetch', file, fetch: (request, env, context) => object.fetch!(request, env, context) }
  }
  if (typeof object.handle === 'function') {
    return { kind: 'raw', file, handle: (request, context) => object.handle!(request, context) }
  }
  const shapes =
    '{ fetch(request, env, ctx) }, { handle(request, ctx) } or a function (request, ctx) => Response'
  throw new FunctionError('wrong_export', `${file} must have a default export of the shape ${shapes}`)
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
