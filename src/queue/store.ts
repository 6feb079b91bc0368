import { constants, readdirSync } from 'node:fs'
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DecodeError } from '../wire/index.ts'
import { type CallRecord, decodeRecord, encodeRecord } from './record.ts'

/** Where a call lies: those that wait, those that were given up, and files that are damaged. */
export type Shelf = 'calls' | 'dead' | 'damaged'

const UNFINISHED = '.new'

/**
 * Calls on the disk, each in a file of its own. A file is written beside its place, forced out, and renamed:
 * at each moment there is the old one or the new one, whole.
 */
export class Store {
  readonly directory: string
  readonly #step: (what: string) => void

  /** @param step called before each thing that is done to the disk, for who wants to stop there */
  constructor(directory: string, step: (what: string) => void = () => {}) {
    this.directory = directory
    this.#step = step
  }

  /** Makes the directories, and clears away what was not finished. */
  async open(): Promise<void> {
    for (const shelf of ['calls', 'dead', 'damaged'] as const)
      await mkdir(this.folder(shelf), { recursive: true, mode: 0o700 })
    for (const shelf of ['calls', 'dead'] as const)
      for (const name of this.names(shelf, true))
        if (name.endsWith(UNFINISHED)) await this.#unlink(join(this.folder(shelf), name))
  }

  folder(shelf: Shelf): string {
    return join(this.directory, shelf)
  }

  /** Names of files, oldest call or not; empty if there is no such directory. */
  names(shelf: Shelf, unfinished = false): string[] {
    try {
      return readdirSync(this.folder(shelf)).filter(name => unfinished || !name.endsWith(UNFINISHED))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** Puts a call there. When the promise is fulfilled, no end of this process or of the machine loses it. */
  async put(shelf: Shelf, record: CallRecord): Promise<void> {
    const place = join(this.folder(shelf), nameOf(record.id))
    this.#step('create')
    const file = await open(place + UNFINISHED, 'w', 0o600)
    try {
      this.#step('write')
      await file.writeFile(encodeRecord(record))
      this.#step('sync')
      await file.sync()
    } catch (error) {
      // On a disk that is full it would stand in the way of the next one.
      await unlink(place + UNFINISHED).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
    this.#step('rename')
    await rename(place + UNFINISHED, place)
    await this.#syncFolder(shelf)
  }

  /** @returns undefined if it is not there @throws DecodeError it is damaged */
  async get(shelf: Shelf, name: string): Promise<CallRecord | undefined> {
    try {
      return decodeRecord(await readFile(join(this.folder(shelf), name)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Takes a call away. @returns false if it is not there */
  remove(shelf: Shelf, id: string): Promise<boolean> {
    return this.removeFile(shelf, nameOf(id))
  }

  /** The same, by the name of its file. */
  removeFile(shelf: Shelf, name: string): Promise<boolean> {
    return this.#unlink(join(this.folder(shelf), name))
  }

  /** Moves a call from one shelf to another one. It may be seen on both, and never on none. */
  async move(from: Shelf, to: Shelf, record: CallRecord): Promise<void> {
    await this.put(to, record)
    await this.remove(from, record.id)
  }

  /** Lays a file that is no call aside. */
  async layAside(shelf: Shelf, name: string): Promise<void> {
    await rename(join(this.folder(shelf), name), join(this.folder('damaged'), name))
  }

  /** Every call on a shelf, one after the other; a damaged file is laid aside, and told. */
  async *all(shelf: Shelf, damaged: (name: string, why: string) => void): AsyncGenerator<CallRecord> {
    for (const name of this.names(shelf)) {
      try {
        const record = await this.get(shelf, name)
        if (record !== undefined) yield record
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        await this.layAside(shelf, name)
        damaged(name, error.message)
      }
    }
  }

  async #unlink(path: string): Promise<boolean> {
    this.#step('unlink')
    try {
      await unlink(path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }

  async #syncFolder(shelf: Shelf): Promise<void> {
    this.#step('sync folder')
    const folder = await open(this.folder(shelf), constants.O_RDONLY)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }
}

/** The file of a call: its id may have characters that names of files have not. */
export function nameOf(id: string): string {
  return Buffer.from(id).toString('base64url')
}
