import { type Frame, KEPT } from '../../functions/sealed/frames.ts'
import type { Link } from '../../functions/sealed/link.ts'
import type { Shelf } from '../../functions/sealed/store.ts'
import { concat } from '../../wire/index.ts'

interface Waiting {
  resolve(kept: Uint8Array): void
  reject(error: Error): void
}

/** What a container keeps for its worker, who asks for it over their link. */
export class RemoteShelf implements Shelf {
  readonly #link: Link
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  constructor(link: Link) {
    this.#link = link
  }

  load(name: Uint8Array): Promise<Uint8Array> {
    return this.#ask('load', name)
  }

  async save(name: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#ask('save', concat(name, value))
  }

  /** An answer of the container's. */
  take({ call, payload }: Frame): void {
    const waiting = this.#waiting.get(call)
    this.#waiting.delete(call)
    const rest = payload.slice(1)
    if (payload[0] !== KEPT.failed) waiting?.resolve(rest)
    else waiting?.reject(new Error(new TextDecoder().decode(rest)))
  }

  #ask(type: 'load' | 'save', payload: Uint8Array): Promise<Uint8Array> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#link.send(type, id, payload)
    })
  }
}
