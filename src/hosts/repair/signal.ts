/** Something that is waited for once, and may come first. */
export class Signal<T> {
  readonly promise: Promise<T>
  #resolve!: (value: T) => void

  constructor() {
    this.promise = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** Only the first time counts. */
  give(value: T): void {
    this.#resolve(value)
  }
}
