import { randomBytes } from 'node:crypto'
import { constants, readdirSync } from 'node:fs'
import { access, link, mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DecodeError } from '../wire/index.ts'
import { type CallRecord, decodeRecord, encodeRecord } from './record.ts'

/** Where a call lies: those that wait, those that were given up, and files that are damaged. */
export type Shelf = 'calls' | 'dead' | 'damaged'

/** A file that is being written, and the mark of one that is being replaced; names of calls have no dot. */
const UNFINISHED = '.new'
const REPLACED = '.was'

/**
 * Calls on the disk, each in a file of its own. A file is written beside its place, forced out, and then put
 * there: at each moment there is the old one or the new one, whole. Several processes may use one directory:
 * none overwrites what another one has kept, and none brings back what another one has taken away.
 */
export class Store {
  readonly directory: string
  readonly #step: (what: string) => void | Promise<void>
  /** Of the files that this one is writing. */
  readonly #unfinished = `.${randomBytes(6).toString('hex')}${UNFINISHED}`

  /** @param step called before each thing that is done to the disk, for who wants to stop there */
  constructor(directory: string, step: (what: string) => void | Promise<void> = () => {}) {
    this.directory = directory
    this.#step = step
  }

  /** Makes the directories, which are there after an end of the machine, too. */
  async open(): Promise<void> {
    for (const shelf of ['calls', 'dead', 'damaged'] as const) {
      const first = await mkdir(this.folder(shelf), { recursive: true, mode: 0o700 })
      if (first === undefined) continue
      for (let made = this.folder(shelf); ; made = dirname(made)) {
        await this.#syncFolder(dirname(made))
        if (made === first) break
      }
    }
  }

  /** Clears away what an earlier process has not finished. For the one process that makes calls. */
  async recover(): Promise<void> {
    const folder = this.folder('calls')
    for (const file of readdirSync(folder))
      if (!isCall(file) && !file.endsWith(this.#unfinished)) await this.#unlink(join(folder, file))
  }

  folder(shelf: Shelf): string {
    return join(this.directory, shelf)
  }

  /** Names of files, oldest call or not; empty if there is no such directory. */
  names(shelf: Shelf): string[] {
    try {
      return readdirSync(this.folder(shelf)).filter(isCall)
    } catch (error) {
      return unless('ENOENT')(error) ?? []
    }
  }

  /**
   * Puts a call among those that wait. When it is there, no end of this process or of the machine loses it.
   * @returns false: there is one of that id already, which stays as it is
   */
  async put(record: CallRecord): Promise<boolean> {
    const place = this.#place(record)
    const written = await this.#write(record)
    await this.#step('link')
    const there = await link(written, place).then(() => true, unless('EEXIST'))
    await this.#unlink(written)
    await this.#syncFolder(this.folder('calls'))
    return there ?? false
  }

  /** Replaces a call that waits. @returns false: it was taken away, and stays away */
  async update(record: CallRecord): Promise<boolean> {
    const place = this.#place(record)
    const written = await this.#write(record)
    if (!(await this.#mark(place))) {
      await this.#unlink(written)
      return false
    }
    await this.#step('rename')
    await rename(written, place)
    // Another process that has taken the call away has taken the mark with it.
    const there = await this.#unlink(place + REPLACED)
    if (!there) await this.#unlink(place)
    await this.#syncFolder(this.folder('calls'))
    return there
  }

  /**
   * Moves a call that waits to the dead letters, beside others of the same id.
   * @returns the name of its file there; undefined: it was taken away, and stays away
   */
  async bury(record: CallRecord): Promise<string | undefined> {
    if (!(await this.update(record))) return undefined
    const name = await this.#freeName(record)
    await this.#step('bury')
    if (!(await renamed(this.#place(record), join(this.folder('dead'), name)))) return undefined
    await this.#syncFolder(this.folder('dead'))
    await this.#syncFolder(this.folder('calls'))
    return name
  }

  /**
   * Puts a dead letter among the calls that wait. It may be seen on both shelves, and never on none.
   * @param name of its file
   * @returns false: another call of that id waits, and the letter stays
   */
  async revive(name: string, record: CallRecord): Promise<boolean> {
    if (!(await this.put(record))) {
      const other = await this.get('calls', nameOf(record.id))
      // The same one: an end in the middle has left it on both.
      if (other?.acceptedAt !== record.acceptedAt) return false
    }
    await this.removeFile('dead', name)
    return true
  }

  /** @returns undefined if it is not there @throws DecodeError it is damaged */
  async get(shelf: Shelf, name: string): Promise<CallRecord | undefined> {
    const file = await readFile(join(this.folder(shelf), name)).catch(unless('ENOENT'))
    return file && decodeRecord(file)
  }

  /** Whether a call waits. @param name of its file */
  has(name: string): Promise<boolean> {
    return isThere(join(this.folder('calls'), name))
  }

  /** Takes a call away that waits. @returns false if it is not there */
  async remove(id: string): Promise<boolean> {
    const place = join(this.folder('calls'), nameOf(id))
    const taken = [await this.#unlink(place), await this.#unlink(place + REPLACED)]
    // Between the two another process may have put the new one there.
    return [...taken, await this.#unlink(place)].includes(true)
  }

  /** Takes a file away. @returns false if it is not there */
  removeFile(shelf: Shelf, name: string): Promise<boolean> {
    return this.#unlink(join(this.folder(shelf), name))
  }

  /** Lays a file that is no call aside. */
  async layAside(shelf: Shelf, name: string): Promise<void> {
    await renamed(join(this.folder(shelf), name), join(this.folder('damaged'), name))
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

  #place({ id }: CallRecord): string {
    return join(this.folder('calls'), nameOf(id))
  }

  /** @returns the path of a whole file that has no place yet */
  async #write(record: CallRecord): Promise<string> {
    const path = this.#place(record) + this.#unfinished
    await this.#step('create')
    try {
      await writeFile(path, encodeRecord(record), { mode: 0o600, flush: true })
    } catch (error) {
      // On a disk that is full it would stand in the way of the next one.
      await unlink(path).catch(() => {})
      throw error
    }
    return path
  }

  /** Marks a call that is being replaced, by a second name. @returns false if it is not there */
  async #mark(place: string): Promise<boolean> {
    for (;;) {
      await this.#step('link')
      try {
        await link(place, place + REPLACED)
        return true
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return false
        if (code !== 'EEXIST') throw error
        // The disk has refused something in the middle.
        await this.#unlink(place + REPLACED)
      }
    }
  }

  /** Of a dead letter. Only one process buries. */
  async #freeName({ id }: CallRecord): Promise<string> {
    for (let number = 1; ; number++) {
      const name = nameOf(id) + (number === 1 ? '' : `+${number}`)
      if (!(await isThere(join(this.folder('dead'), name)))) return name
    }
  }

  async #unlink(path: string): Promise<boolean> {
    await this.#step('unlink')
    return (await unlink(path).then(() => true, unless('ENOENT'))) ?? false
  }

  async #syncFolder(path: string): Promise<void> {
    await this.#step('sync folder')
    const folder = await open(path, constants.O_RDONLY)
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

/** Whether a file of that name is a call, and not one that is being written. */
export function isCall(name: string): boolean {
  return !name.includes('.')
}

/** Takes errors with these codes for undefined. @throws the others */
function unless(...codes: string[]): (error: unknown) => undefined {
  return error => {
    if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return undefined
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await access(path).then(() => true, unless('ENOENT'))) ?? false
}

/** Renames a file. @returns false if it is not there */
async function renamed(from: string, to: string): Promise<boolean> {
  return (await rename(from, to).then(() => true, unless('ENOENT'))) ?? false
}
