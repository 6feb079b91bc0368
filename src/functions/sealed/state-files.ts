import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hex } from '../../wire/index.ts'
import type { Keeper } from './sealed-worker.ts'

/** Most bytes of one value, and most values of one function. */
const MOST_BYTES = 2 ** 20 + 64
const MOST_VALUES = 10_000

/**
 * What a sealed function leaves behind, as files: their names and their content come sealed, so that who
 * reads the disk learns how many there are and how large. Replicas share them; the last one that writes wins.
 */
export class StateFiles implements Keeper {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async load(name: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#fileOf(name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Whole or not at all, also if the machine stops meanwhile. @throws RangeError there is too much */
  async save(name: Uint8Array, value: Uint8Array): Promise<void> {
    const file = this.#fileOf(name)
    if (value.length === 0) return rm(file, { force: true })
    if (value.length > MOST_BYTES) throw new RangeError('a value has at most 1 MiB')
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    if ((await readdir(this.#directory)).length > MOST_VALUES)
      throw new RangeError(`a function keeps at most ${MOST_VALUES} values`)
    const passing = `${file}.${hex(randomBytes(6))}`
    const handle = await open(passing, 'wx', 0o600)
    try {
      await handle.writeFile(value)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(passing, file)
  }

  #fileOf(name: Uint8Array): string {
    return join(this.#directory, hex(name))
  }
}
