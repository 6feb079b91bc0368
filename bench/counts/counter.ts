import { createRequire } from 'node:module'

/** What is counted while a program runs, by name. */
export interface Counts {
  /** Calls of functions outside of Node. */
  readonly foreign: Map<string, number>
  /** Views of memory that were made, by how: `new`, `slice`, `subarray`, `from`. */
  readonly arrays: Map<string, number>
  /** Timers of Node's that were asked for. */
  readonly timers: Map<string, number>
}

type Func = (definition: string) => (...args: never[]) => unknown
interface Koffi {
  load(path: string | null): { func: Func }
}

/**
 * Counts in this process what is called from here on. To be called before anything is loaded that binds
 * foreign functions: a function that was bound before is not seen.
 */
export function count(): Counts {
  const counts: Counts = { foreign: new Map(), arrays: new Map(), timers: new Map() }
  countForeign(counts.foreign)
  countArrays(counts.arrays)
  countTimers(counts.timers)
  return counts
}

/** Forgets what was counted. */
export function reset({ foreign, arrays, timers }: Counts): void {
  foreign.clear()
  arrays.clear()
  timers.clear()
}

const more = (map: Map<string, number>, name: string): void => void map.set(name, (map.get(name) ?? 0) + 1)

function countForeign(foreign: Map<string, number>): void {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const load = koffi.load.bind(koffi)
  koffi.load = path => {
    const library = load(path)
    return {
      func(definition) {
        const call = library.func(definition)
        const name = /(\w+)\(/.exec(definition)?.[1] ?? definition
        return (...args) => {
          more(foreign, name)
          return call(...args)
        }
      },
    }
  }
}

/** Node's own code has taken its copies before: only ours is seen. */
function countArrays(arrays: Map<string, number>): void {
  const Real = globalThis.Uint8Array
  for (const name of ['slice', 'subarray'] as const) {
    const method = Real.prototype[name]
    Real.prototype[name] = function (this: Uint8Array, ...args: [number?, number?]) {
      more(arrays, name)
      return method.apply(this, args)
    } as never
  }
  globalThis.Uint8Array = new Proxy(Real, {
    construct(target, args, self) {
      more(arrays, 'new')
      return Reflect.construct(target, args, self === globalThis.Uint8Array ? target : self) as object
    },
    get(target, name, self) {
      if (name === 'from' || name === 'of') more(arrays, name)
      return Reflect.get(target, name, self) as unknown
    },
  })
}

function countTimers(timers: Map<string, number>): void {
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const real = globalThis[name] as (...args: unknown[]) => unknown
    const counted = (...args: unknown[]): unknown => {
      more(timers, name)
      return real(...args)
    }
    globalThis[name] = counted as never
  }
}
