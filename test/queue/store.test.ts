import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CallRecord, decodeRecord, encodeRecord } from '../../src/queue/record.ts'
import { nameOf, type Shelf, Store } from '../../src/queue/store.ts'
import { answered, call } from '../support/calls.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-queue-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function opened(step?: (what: string) => void): Promise<Store> {
  const store = new Store(directory, step)
  await store.open()
  return store
}

async function all(store: Store, shelf: Shelf): Promise<CallRecord[]> {
  const found: CallRecord[] = []
  for await (const record of store.all(shelf, () => {})) found.push(record)
  return found
}

const FULL = call({ callback: 'https://a.example/b', phase: 'telling', answer: answered(500).answer })

describe('a record', () => {
  it('is read as it was written', () => {
    for (const record of [call(), FULL]) expect(decodeRecord(encodeRecord(record))).toEqual(record)
  })

  it('is refused when it is cut at any byte, or any byte is another one', () => {
    const bytes = encodeRecord(FULL)
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeRecord(bytes.subarray(0, length))).toThrow(/no call|checksum|bytes/)
    for (let at = 0; at < bytes.length; at++) {
      const other = bytes.slice()
      other[at]! ^= 1 << (at % 8)
      expect(() => decodeRecord(other), `byte ${at}`).toThrow()
    }
  })
})

describe('the disk', () => {
  it('has a call in a file of its owner alone, whatever its id is', async () => {
    const store = await opened()
    const id = '../../a/b:=@+'
    await store.put('calls', call({ id }))
    const [name] = store.names('calls')
    expect(name).toBe(nameOf(id))
    expect(name).not.toMatch(/[/.]/)
    expect(statSync(join(directory, 'calls', name!)).mode & 0o777).toBe(0o600)
    expect((await store.get('calls', name!))?.id).toBe(id)
    expect(await store.remove('calls', id)).toBe(true)
    expect(await store.remove('calls', id)).toBe(false)
  })

  it('forgets a file that was not finished, at whatever byte it ends', async () => {
    const bytes = encodeRecord(call({ id: 'half' }))
    for (const length of [0, 1, bytes.length - 1, bytes.length]) {
      await opened()
      writeFileSync(join(directory, 'calls', `${nameOf('half')}.new`), bytes.subarray(0, length))
      const store = await opened()
      expect(await all(store, 'calls')).toEqual([])
      expect(readdirSync(join(directory, 'calls'))).toEqual([])
    }
  })

  it('lays a damaged file aside, and reads the others', async () => {
    const store = await opened()
    await store.put('calls', call({ id: 'good' }))
    await store.put('calls', call({ id: 'bad' }))
    const file = join(directory, 'calls', nameOf('bad'))
    writeFileSync(file, readFileSync(file).subarray(0, 20))
    expect((await all(store, 'calls')).map(({ id }) => id)).toEqual(['good'])
    expect(store.names('damaged')).toEqual([nameOf('bad')])
  })
})

/** Ends at a step, as a kill does: nothing that follows is done. */
class Killed extends Error {}
function killer(at: number): (what: string) => void {
  let steps = 0
  return () => {
    if (++steps >= at) throw new Killed()
  }
}

describe('an end at any step', () => {
  const old = call({ id: 'a', failures: 0 })
  const next = call({ id: 'a', failures: 1 })

  /** Does something from the state in which the old call is there, ending at each step in turn. */
  async function atEachStep(
    work: (store: Store) => Promise<unknown>,
    judge: (calls: CallRecord[], dead: CallRecord[], finished: boolean) => void,
  ): Promise<number> {
    for (let at = 1; ; at++) {
      rmSync(directory, { recursive: true })
      await (await opened()).put('calls', old)
      const error = await work(new Store(directory, killer(at))).catch((one: unknown) => one)
      if (error instanceof Error && !(error instanceof Killed)) throw error
      const store = await opened()
      judge(await all(store, 'calls'), await all(store, 'dead'), !(error instanceof Killed))
      if (!(error instanceof Killed)) return at - 1
    }
  }

  it('leaves the old call or the new one, whole', async () => {
    const steps = await atEachStep(
      store => store.put('calls', next),
      (calls, _dead, finished) => {
        expect(calls.length).toBe(1)
        if (finished) expect(calls).toEqual([next])
        else expect([0, 1]).toContain(calls[0]!.failures)
      },
    )
    expect(steps).toBe(5)
  })

  it('loses no call that becomes a dead letter, or one that is sent anew', async () => {
    const steps = await atEachStep(
      store => store.move('calls', 'dead', { ...old, phase: 'dead' }),
      (calls, dead, finished) => {
        expect(calls.length + dead.length).toBeGreaterThan(0)
        if (finished) expect([calls.length, dead.length]).toEqual([0, 1])
      },
    )
    expect(steps).toBe(6)
  })
})
