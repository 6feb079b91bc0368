import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { types } from 'node:util'
import { installGlobals, prepare } from '../web/globals.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { NodeApplication } from './adapters/node-http.ts'
import type { BareHandler, FetchHandler, RawHandler, ResumeFunction } from './contract.ts'
import { type FunctionModule, functionModule } from './module.ts'
import { FunctionError, moduleFile } from './module-file.ts'
import { fromOpenFaaS, type OpenFaaSHandler } from './openfaas/handler.ts'
import { placeOf } from './place.ts'
import type { WebSocketFunction } from './web-socket.ts'

export { FunctionError } from './module-file.ts'

/**
 * Loads a function: by its name from the shipped ones, or from a module's file (anything with a slash or an
 * ending). From then on `Request`, `Response`, `Headers` and `fetch` of this process are the light ones.
 * @param base the directory that relative paths start from
 * @param lang the template that it is written for; with one of OpenFaaS's for Node, a function is a handler
 * `(event, context)`
 * @param lazily whether Node's `Request` and `Response` are loaded with the first request only
 * @throws FunctionError
 */
export async function loadFunction(
  nameOrPath: string,
  base = process.cwd(),
  lang?: string,
  lazily = false,
): Promise<FunctionModule> {
  const file = moduleFile(nameOrPath, base)
  let module: ModuleExports
  installGlobals()
  try {
    module = loadedAtOnce(file) ?? (await import(pathToFileURL(file).href))
  } catch (error) {
    throw new FunctionError(
      'unloadable',
      `${file} cannot be loaded: ${reasonOf(error)}${advice(error, file)}`,
      error,
    )
  }
  if (NODE_HTTP.has(lang ?? '')) return fromApplication(module.default, file)
  return functionOf(module, file, lang, lazily)
}

const require = createRequire(import.meta.url)

/**
 * The engine's other way to a module: without turns of the event loop and threads in between, it takes half
 * of the time, and a function may be waited for.
 * @returns undefined where it does not lead there: `import` knows the others, and says what is wrong
 */
export function loadedAtOnce(file: string): ModuleExports | undefined {
  if (!/\.m?js$/.test(file)) return undefined
  try {
    const found: unknown = require(file)
    // A module of the other kind has run now, and is the same for `import`.
    return types.isModuleNamespaceObject(found) ? (found as ModuleExports) : undefined
  } catch {
    return undefined
  }
}

/** Where that is, and what to do about it, as far as that is known. */
function advice(error: unknown, file: string): string {
  if (reasonOf(error).startsWith('Cannot find package ')) return '; npm install in its folder may bring it'
  const place = placeOf(error, file)
  if (place !== undefined) return ` (${place})`
  return error instanceof SyntaxError ? '; node --check shows where' : ''
}

/** What a function's module may export. */
export interface ModuleExports {
  readonly default?: unknown
  readonly webSocket?: unknown
  readonly webSocketProtocols?: unknown
  readonly resume?: unknown
}

/**
 * The function of a module that is there. @param file for messages @param lang as in {@link loadFunction}
 * @throws FunctionError it exports none
 */
export function functionOf(
  module: ModuleExports,
  file: string,
  lang?: string,
  lazily = false,
): FunctionModule {
  checkPlace(module, file)
  const loaded = functionModule({
    ...recognise(module.default, file, lang),
    ...webSocketOf(module, file),
    ...resumeOf(module, file),
  })
  // Otherwise the first request would wait for it.
  if (loaded.kind === 'fetch' && !lazily) prepare()
  return loaded
}

function webSocketOf(
  { webSocket, webSocketProtocols }: ModuleExports,
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

/** What goes beside the default export, and is easily put into it. */
const BESIDE = ['resume', 'webSocket', 'webSocketProtocols'] as const

/** @throws FunctionError an export of the module is a field of its default export, where nothing calls it */
function checkPlace(module: ModuleExports, file: string): void {
  const exported = module.default
  // Applications are instances of classes, and may have such fields of their own.
  if (
    typeof exported !== 'object' ||
    exported === null ||
    Object.getPrototypeOf(exported) !== Object.prototype
  )
    return
  const name = BESIDE.find(one => module[one] === undefined && Object.hasOwn(exported, one))
  if (name === undefined) return
  const how = `export const ${name} = …, or module.exports.${name} = …`
  throw new FunctionError('wrong_export', `${file}: ${name} goes beside the default export: ${how}`)
}

function resumeOf({ resume }: ModuleExports, file: string): Pick<FunctionModule, 'resume'> {
  if (resume === undefined) return {}
  if (typeof resume !== 'function')
    throw new FunctionError('wrong_export', `${file}: resume must be a function (state, ctx) => stream`)
  return { resume: resume as ResumeFunction }
}

/** Templates whose functions are applications for `node:http`, as they come out of their framework. */
const NODE_HTTP: ReadonlySet<string> = new Set(['express', 'fastify', 'koa'])

async function fromApplication(exported: unknown, file: string): Promise<FunctionModule> {
  // Loaded when it is needed: it brings Node's HTTP with it.
  const { fromNode } = await import('./adapters/node-http.ts')
  // Koa's applications are no listeners, and make one.
  const { callback } = (exported ?? {}) as { readonly callback?: unknown }
  const app = typeof callback === 'function' ? callback.call(exported) : exported
  if ((typeof app !== 'function' && typeof app !== 'object') || app === null)
    throw new FunctionError('wrong_export', `${file} must have an application as its default export`)
  return functionModule({ kind: 'fetch', file, ...fromNode(app as NodeApplication) })
}

function recognise(exported: unknown, file: string, lang = ''): FunctionModule {
  if (typeof exported === 'function' && !isClass(exported) && /^node/.test(lang)) {
    return { kind: 'raw', file, ...fromOpenFaaS(exported as OpenFaaSHandler) }
  }
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
