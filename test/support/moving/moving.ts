/**
 * What is in the place of a real thing, and can do what that can do: each method and getter moves, asks the
 * real thing, and moves again. A test that passes with the real one and not with this one has found state
 * that does not travel.
 */
export abstract class Moving<R extends object> {
  /** The real thing that it is now. */
  protected real!: R

  /** The real thing leaves as bytes and goes on as another object. */
  protected abstract move(): void

  /** Moves, does it, and moves again. */
  protected around<T>(work: (real: R) => T): T {
    this.move()
    try {
      return work(this.real)
    } finally {
      this.move()
    }
  }
}

/**
 * Gives a class each method and getter of the real one that it does not define by itself.
 * @returns the class
 */
export function movesLike<C extends new (...args: never[]) => object, R extends object>(
  moving: C,
  real: { readonly prototype: R },
): (new (...args: ConstructorParameters<C>) => Pick<R, keyof R>) & C {
  for (const [name, { get }] of membersOf(real.prototype)) {
    if (Object.hasOwn(moving.prototype, name)) continue
    const asked = get === undefined ? { value: methodOf(name) } : { get: getterOf(name) }
    Object.defineProperty(moving.prototype, name, { configurable: true, ...asked })
  }
  return moving as never
}

type Any = Record<string, unknown>
type Around = { around<T>(work: (real: Any) => T): T }

function methodOf(name: string) {
  return function (this: Around, ...args: unknown[]): unknown {
    return this.around(real => (real[name] as (...args: unknown[]) => unknown).apply(real, args))
  }
}

function getterOf(name: string) {
  return function (this: Around): unknown {
    return this.around(real => real[name])
  }
}

/** What a class and those that it extends define, the nearest first. */
function membersOf(prototype: object): Map<string, PropertyDescriptor> {
  const found = new Map<string, PropertyDescriptor>()
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (name !== 'constructor' && !found.has(name)) found.set(name, descriptor)
  return found
}
