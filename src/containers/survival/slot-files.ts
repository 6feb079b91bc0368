import { SlotFile } from '../../transfer/slot-file.ts'
import type { Descriptor } from '../../transfer/stream.ts'

/** The files that gateways have given this container, while those gateways live. */
export class SlotFiles {
  readonly #files = new Map<number, SlotFile>()

  /** The file of that gateway; undefined before it has come, and once the gateway is gone. */
  of(gateway: number): SlotFile | undefined {
    return this.#files.get(gateway)
  }

  /** Takes a gateway's file over. @throws Error it is not such a file */
  add(gateway: number, descriptor: Descriptor, slots: number): void {
    const file = SlotFile.open(descriptor, slots)
    this.remove(gateway)
    this.#files.set(gateway, file)
  }

  /** That process has ended: no process reads what is written into its file. */
  remove(gateway: number): void {
    this.#files.get(gateway)?.close()
    this.#files.delete(gateway)
  }
}
