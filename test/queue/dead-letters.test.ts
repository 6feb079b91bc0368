import { mkdtempSync, readdirSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DeadLetters } from '../../src/queue/dead-letters.ts'
import { Store } from '../../src/queue/store.ts'

describe('dead letters', () => {
  let directory: string
  let store: Store
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-dead-'))
    store = new Store(directory)
    await store.open()
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const write = (name: string, bytes: number, seconds = 0): void => {
    const file = join(store.folder('dead'), name)
    writeFileSync(file, new Uint8Array(bytes))
    if (seconds > 0) utimesSync(file, seconds, seconds)
  }
  const names = (): string[] => readdirSync(store.folder('dead')).sort()
  const bury = (letters: DeadLetters, name: string, bytes: number): Promise<number> => {
    write(name, bytes)
    return letters.buried(name)
  }

  it('are no more than so many: the oldest goes', async () => {
    const letters = new DeadLetters(store, { count: 2, bytes: 1000 })
    const gone = [await bury(letters, 'a', 1), await bury(letters, 'b', 1), await bury(letters, 'c', 1)]
    expect([gone, names()]).toEqual([
      [0, 0, 1],
      ['b', 'c'],
    ])
  })

  it('have no more than so many bytes; one that is too large by itself is not kept', async () => {
    const letters = new DeadLetters(store, { count: 10, bytes: 100 })
    await bury(letters, 'a', 50)
    await bury(letters, 'b', 40)
    expect([await bury(letters, 'c', 30), names()]).toEqual([1, ['b', 'c']])
    expect([await bury(letters, 'd', 101), names()]).toEqual([3, []])
  })

  it('of an earlier process count, by their age', async () => {
    write('new', 1, 2000)
    write('old', 1, 1000)
    const letters = new DeadLetters(store, { count: 2, bytes: 1000 })
    await letters.open()
    expect([await bury(letters, 'now', 1), names()]).toEqual([1, ['new', 'now']])
  })

  it('are within their bounds when they are opened: an end may have come too early', async () => {
    for (const [at, name] of ['old', 'newer', 'newest'].entries()) write(name, 1, 1000 + at)
    const letters = new DeadLetters(store, { count: 2, bytes: 1000 })
    expect([await letters.open(), names()]).toEqual([1, ['newer', 'newest']])
  })

  it('that were replayed meanwhile are not missed, and one that comes again counts once', async () => {
    const letters = new DeadLetters(store, { count: 2, bytes: 1000 })
    await bury(letters, 'a', 1)
    await bury(letters, 'b', 1)
    unlinkSync(join(store.folder('dead'), 'a'))
    expect([await bury(letters, 'b', 1), await bury(letters, 'c', 1), names()]).toEqual([0, 0, ['b', 'c']])
  })

  it('are none where none are kept', async () => {
    const letters = new DeadLetters(store, { count: 0, bytes: 1000 })
    expect([await bury(letters, 'a', 1), names()]).toEqual([1, []])
  })
})
