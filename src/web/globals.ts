import { fieldsFrom, LightHeaders } from './headers.ts'
import { inherit, nameConstructor, native } from './native.ts'
import { LightRequest } from './request.ts'
import { LightResponse } from './response.ts'
import { settle } from './stream.ts'

type Constructor = new (...all: never[]) => object
type Target = ((...all: never[]) => unknown) | undefined

/**
 * What `new` of a global makes where ours does not: an object of Node's class, or of the class that is
 * derived from the global.
 */
function made(nodes: unknown, all: readonly unknown[], ours: unknown, target: Target): object {
  if (target === undefined) throw new TypeError("Class constructor cannot be invoked without 'new'")
  return Reflect.construct(nodes as Constructor, all, (target === ours ? nodes : target) as Constructor)
}

function WebResponse(this: unknown, ...all: unknown[]): object {
  const light = new.target === WebResponse ? LightResponse.of(all[0], all[1]) : undefined
  if (light !== undefined) return light
  const response = made(native().Response, all, WebResponse, new.target) as Response
  if (all[0] instanceof FormData && response.body !== null) settle(response.body)
  return response
}

function WebHeaders(this: unknown, ...all: unknown[]): object {
  const fields = new.target === WebHeaders ? fieldsFrom(all[0]) : undefined
  return fields === undefined ? made(native().Headers, all, WebHeaders, new.target) : new LightHeaders(fields)
}

function WebRequest(this: unknown, ...all: unknown[]): object {
  return made(native().Request, LightRequest.is(all[0]) ? unwrapped(all) : all, WebRequest, new.target)
}

function webFetch(...all: unknown[]): Promise<Response> {
  const { fetch } = native()
  return Reflect.apply(fetch, undefined, LightRequest.is(all[0]) ? unwrapped(all) : all)
}

/** Arguments that begin with a Request of ours, for Node, whose signal counts unless `init` has another. */
function unwrapped([request, init, ...rest]: readonly unknown[]): unknown[] {
  const light = request as LightRequest
  return [LightRequest.real(light), withSignal(light, init), ...rest]
}

function withSignal({ signal }: LightRequest, init: unknown): unknown {
  if (init === undefined || init === null) return { signal }
  if (typeof init !== 'object' || (init as RequestInit).signal !== undefined) return init
  return Object.create(init, { signal: { value: signal } })
}

const STATIC = {
  json: (...all: unknown[]) =>
    LightResponse.json(all[0], all[1]) ?? native().Response.json(...(all as [unknown])),
  redirect: (...all: unknown[]) =>
    LightResponse.redirect(all[0], all[1]) ?? native().Response.redirect(...(all as [string, 302])),
}

let ready = false
let installed = false

/** Joins our classes to Node's, which are loaded by that. To be called before one of ours is made. */
export function prepare(): void {
  if (ready) return
  ready = true
  const { Request, Response, Headers, fetch } = native()
  inherit(LightRequest.prototype, Request.prototype, LightRequest.real, WebRequest)
  inherit(LightResponse.prototype, Response.prototype, LightResponse.real, WebResponse)
  inherit(LightHeaders.prototype, Headers.prototype, LightHeaders.real, WebHeaders)
  disguise(WebRequest, Request)
  disguise(WebResponse, Response)
  disguise(WebHeaders, Headers)
  for (const [name, value] of Object.entries(STATIC)) {
    const { length } = Response[name as keyof typeof STATIC]
    Object.defineProperty(value, 'length', { value: length, configurable: true })
    Object.defineProperty(WebResponse, name, { value, configurable: true, writable: true, enumerable: true })
  }
  for (const key of ['name', 'length'] as const)
    Object.defineProperty(webFetch, key, { value: fetch[key], configurable: true })
  if (installed) define()
}

/** Our constructor looks as Node's: its name, its prototype, and what is static. */
function disguise(ours: object, nodes: { readonly prototype: object }): void {
  Object.setPrototypeOf(ours, nodes)
  for (const key of ['name', 'length', 'prototype'] as const) {
    const { value } = Object.getOwnPropertyDescriptor(nodes, key)!
    Object.defineProperty(ours, key, { value, writable: false })
  }
}

const GLOBALS = { Request: WebRequest, Response: WebResponse, Headers: WebHeaders, fetch: webFetch }

/**
 * Makes the globals `Request`, `Response`, `Headers` and `fetch` ours in this process. Node's are loaded when
 * code first uses one of them.
 */
export function installGlobals(): void {
  if (installed) return
  installed = true
  if (ready) define()
  else for (const name of Object.keys(GLOBALS) as (keyof typeof GLOBALS)[]) defineLazily(name)
}

/**
 * What code has put in the place of one of them stays. Objects of Node's say that ours is their class: not
 * where these globals are those of another copy of this module, as of a function's own package.
 */
function define(): void {
  const { Request, Response, Headers } = native()
  nameConstructor(Request.prototype, WebRequest)
  nameConstructor(Response.prototype, WebResponse)
  nameConstructor(Headers.prototype, WebHeaders)
  for (const [name, value] of Object.entries(GLOBALS)) {
    const { get, value: now } = Object.getOwnPropertyDescriptor(globalThis, name) ?? {}
    if (get !== undefined || now === native()[name as keyof typeof GLOBALS]) set(name, value)
  }
}

function set(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: name === 'fetch',
  })
}

function defineLazily(name: keyof typeof GLOBALS): void {
  Object.defineProperty(globalThis, name, {
    get() {
      prepare()
      return GLOBALS[name]
    },
    set: value => set(name, value),
    configurable: true,
    enumerable: name === 'fetch',
  })
}
