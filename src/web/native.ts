import * as threads from 'node:worker_threads'

/** The classes of Node, which are loaded when they are first asked for: 40 ms and 7 MB. */
export interface Native {
  readonly Request: typeof Request
  readonly Response: typeof Response
  readonly Headers: typeof Headers
  readonly fetch: typeof fetch
}

/** As they were when this module was loaded: later these names are ours. */
const GLOBALS = ['Request', 'Response', 'Headers', 'fetch'].map(
  name => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
)

let found: Native | undefined

/** Node's own classes and `fetch`, whatever the globals of these names are by now. */
export function native(): Native {
  found ??= Object.fromEntries(
    GLOBALS.map(([name, property]) => [name, property?.get?.call(globalThis) ?? property?.value]),
  ) as unknown as Native
  return found
}

/**
 * Makes a prototype of ours inherit from Node's, so that `instanceof` holds. What ours does not do by itself
 * is done by an object of Node's in its place.
 * @param real gives that object
 * @param named what `constructor` says
 */
export function inherit(ours: object, nodes: object, real: (light: never) => object, named: unknown): void {
  Object.setPrototypeOf(ours, nodes)
  for (const key of Reflect.ownKeys(nodes)) {
    const theirs = Object.getOwnPropertyDescriptor(nodes, key)!
    const { get, value, enumerable = false } = theirs
    const own = Object.getOwnPropertyDescriptor(ours, key)
    if (key === 'constructor') continue
    if (own !== undefined) {
      Object.defineProperty(ours, key, { ...own, enumerable })
      if (typeof own.value === 'function') nameAs(own.value, value)
    } else if (get !== undefined) {
      const asked = function (this: never): unknown {
        return Reflect.get(real(this), key)
      }
      Object.defineProperty(ours, key, { get: nameAs(asked, get), enumerable, configurable: true })
    } else if (typeof value === 'function') {
      const called = function (this: never, ...all: unknown[]): unknown {
        return Reflect.apply(value, real(this), all)
      }
      nameAs(called, value)
      Object.defineProperty(ours, key, { value: called, enumerable, configurable: true, writable: true })
    }
  }
  nameConstructor(ours, named)
}

/** What `constructor` of a prototype says. */
export function nameConstructor(prototype: object, value: unknown): void {
  Object.defineProperty(prototype, 'constructor', {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  })
}

/** Gives a function the name and the length of Node's. */
function nameAs<T extends object>(ours: T, nodes: unknown): T {
  if (typeof nodes !== 'function') return ours
  for (const key of ['name', 'length'] as const)
    Object.defineProperty(ours, key, { value: nodes[key], configurable: true })
  return ours
}

/**
 * Node from 22.10 on refuses to clone objects that are marked so, as it marks its own; before that it clones
 * them as empty objects.
 */
export const unclonable: (light: object) => void =
  (threads as { readonly markAsUncloneable?: (light: object) => void }).markAsUncloneable ?? (() => {})
