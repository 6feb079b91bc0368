import { vi } from 'vitest'

/** What is thrown. */
export class InjectedFault extends Error {}

/** What is thrown where nothing catches it, while a test watches: that would end the process. */
export class Escapes {
  readonly errors: unknown[] = []
  readonly #note = (error: unknown): void => void this.errors.push(error)

  start(): void {
    this.errors.length = 0
    process.on('unhandledRejection', this.#note)
    process.on('uncaughtException', this.#note)
  }

  stop(): void {
    process.off('unhandledRejection', this.#note)
    process.off('uncaughtException', this.#note)
  }
}

/** biome-ignore lint/suspicious/noExplicitAny: any class may be made to fail */
type Class = abstract new (...given: any[]) => object

/**
 * Counts the calls of whatever it was told to watch, and lets one of them throw: so a test can throw from
 * everywhere, one place after the other.
 */
export class Faults {
  /** Calls so far. */
  calls = 0
  /** The call that throws; 0: none. */
  at = 0
  /** The name of what has thrown. */
  thrown: string | undefined
  readonly #undo: (() => void)[] = []

  /** Begins to count anew. @param at the call that throws */
  arm(at: number): void {
    this.calls = 0
    this.at = at
    this.thrown = undefined
  }

  /**
   * Every method and getter of instances of that class, its own and those that it inherits from classes of
   * ours.
   */
  watch(Watched: Class): void {
    const faults = this
    for (let proto = Watched.prototype; proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
      for (const key of Object.getOwnPropertyNames(proto)) {
        const before = Object.getOwnPropertyDescriptor(proto, key)!
        if (key === 'constructor') continue
        const name = `${Watched.name}.${key}`
        // biome-ignore lint/suspicious/noExplicitAny: whatever it takes and gives
        const around = (original: (...given: any[]) => any) =>
          function (this: object, ...given: unknown[]): unknown {
            if (this instanceof Watched) faults.#call(name)
            return original.apply(this, given)
          }
        const after = { ...before }
        if (typeof before.value === 'function') after.value = around(before.value)
        else if (before.get !== undefined) after.get = around(before.get)
        else continue
        Object.defineProperty(proto, key, after)
        this.#undo.push(() => Object.defineProperty(proto, key, before))
      }
    }
  }

  /** The same for one object. @returns what is to be used in its place */
  around<T extends object>(watched: T, name: string): T {
    return new Proxy(watched, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]): unknown => {
          this.#call(`${name}.${String(key)}`)
          return value.apply(target, given)
        }
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    })
  }

  /** What a static method makes is watched, too. */
  aroundMade<T extends object, K extends keyof T & string>(Maker: T, key: K): void {
    const original = Maker[key] as (...given: unknown[]) => object
    const spy = vi.spyOn(Maker, key as never) as unknown as {
      mockImplementation(work: (...given: unknown[]) => object): void
      mockRestore(): void
    }
    spy.mockImplementation((...given) => this.around(original.apply(Maker, given), 'Session'))
    this.#undo.push(() => spy.mockRestore())
  }

  /** Leaves everything as it was. */
  stop(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo()
  }

  #call(name: string): void {
    if (++this.calls !== this.at) return
    this.thrown = name
    throw new InjectedFault(`thrown from ${name}`)
  }
}
