import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CallRecord, decodeRecord, encodeRecord } from '../../src/queue/record.ts'
import { nameOf, type Shelf, Store } from '../../src/queue/store.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { answered, call, QUICK_PLACE } from '../support/calls.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(QUICK_PLACE, 'hotpotato-queue-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function opened(step?: (what: string) => void): Promise<Store> {
  const store = new Store(directory, step)
  await store.open()
  await store.recover()
  return store
}

async function all(store: Store, shelf: Shelf): Promise<CallRecord[]> {
  const found: CallRecord[] = []
  for await (const record of store.all(shelf, () => {})) found.push(record)
  return found
}

const FULL = call({
  client: { tls: 1, address: '2001:db8::1' },
  callback: 'https://a.example/b',
  phase: 'telling',
  answer: answered(500).answer,
})

describe('a record', () => {
  it('is read as it was written', () => {
    for (const record of [call(), FULL]) expect(decodeRecord(encodeRecord(record))).toEqual(record)
  })

  it('of the form before is read as well', () => {
    const bytes = encodeRecord(call())
    const content = bytes.slice(0, bytes.length - 5)
    content[3] = 1
    const checksum = new Uint8Array(4)
    new DataView(checksum.buffer).setUint32(0, crc32(content))
    expect(decodeRecord(concat(content, checksum))).toEqual(call())
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
    await store.put(call({ id }))
    const [name] = store.names('calls')
    expect(name).toBe(nameOf(id))
    expect(name).not.toMatch(/[/.]/)
    expect(statSync(join(directory, 'calls', name!)).mode & 0o777).toBe(0o600)
    expect((await store.get('calls', name!))?.id).toBe(id)
    expect(await store.remove(id)).toBe(true)
    expect(await store.remove(id)).toBe(false)
  })

  it('forgets a file that was not finished, at whatever byte it ends', async () => {
    const bytes = encodeRecord(call({ id: 'half' }))
    for (const length of [0, 1, bytes.length - 1, bytes.length]) {
      await opened()
      writeFileSync(join(directory, 'calls', `${nameOf('half')}.0123.new`), bytes.subarray(0, length))
      const store = await opened()
      expect(await all(store, 'calls')).toEqual([])
      expect(readdirSync(join(directory, 'calls'))).toEqual([])
    }
  })

  it('leaves what it is writing itself, for a call that comes while it is opened', async () => {
    let store: Store | undefined
    let recovered = 0
    store = new Store(directory, async what => {
      if (what !== 'link') return
      recovered++
      await store!.recover()
    })
    await store.open()
    expect(await store.put(call({ id: 'a' }))).toBe(true)
    expect([recovered, store.names('calls')]).toEqual([1, [nameOf('a')]])
  })

  it('forces out every folder that it has made, and the one above', async () => {
    const deep = join(directory, 'made', 'here')
    const steps: string[] = []
    const open = () => new Store(deep, what => void steps.push(what)).open()
    await open()
    // made, made/here and three shelves; each but the last three stands in a folder that is forced out.
    expect(steps.filter(what => what === 'sync folder')).toHaveLength(5)
    steps.length = 0
    await open()
    expect(steps).toEqual([])
  })

  it('lays a damaged file aside, and reads the others', async () => {
    const store = await opened()
    await store.put(call({ id: 'good' }))
    await store.put(call({ id: 'bad' }))
    const file = join(directory, 'calls', nameOf('bad'))
    writeFileSync(file, readFileSync(file).subarray(0, 20))
    expect((await all(store, 'calls')).map(({ id }) => id)).toEqual(['good'])
    expect(store.names('damaged')).toEqual([nameOf('bad')])
  })
})

/** Ends at a step, as a kill does: nothing that follows is done, not even what clears up after an error. */
class Killed extends Error {}
const NEVER = new Promise<void>(() => {})

describe('an end at any step', () => {
  const old = call({ id: 'a', failures: 0 })
  const next = call({ id: 'a', failures: 1 })

  /** Does something, ending at each step in turn. @returns the steps */
  async function atEachStep(
    prepare: (store: Store) => Promise<unknown>,
    work: (store: Store) => Promise<unknown>,
    judge: (calls: CallRecord[], dead: CallRecord[], finished: boolean) => void,
  ): Promise<number> {
    for (let at = 1; ; at++) {
      rmSync(directory, { recursive: true })
      await prepare(await opened())
      let steps = 0
      let killed = (_: Killed): void => {}
      const end = new Promise<Killed>(resolve => {
        killed = resolve
      })
      const step = (): Promise<void> | undefined => {
        if (++steps < at) return undefined
        killed(new Killed())
        return NEVER
      }
      const finished = !((await Promise.race([end, work(new Store(directory, step))])) instanceof Killed)
      const store = await opened()
      expect(readdirSync(join(directory, 'calls')).filter(name => name.includes('.'))).toEqual([])
      judge(await all(store, 'calls'), await all(store, 'dead'), finished)
      if (finished) return at - 1
    }
  }

  it('leaves the old call or the new one, whole', async () => {
    const steps = await atEachStep(
      store => store.put(old),
      store => store.update(next),
      (calls, _dead, finished) => {
        expect(calls.length).toBe(1)
        if (finished) expect(calls).toEqual([next])
        else expect([0, 1]).toContain(calls[0]!.failures)
      },
    )
    expect(steps).toBe(5)
  })

  it('leaves a call that is kept, or none', async () => {
    const steps = await atEachStep(
      async () => {},
      store => store.put(old),
      (calls, _dead, finished) => expect(calls).toEqual(finished || calls.length > 0 ? [old] : []),
    )
    expect(steps).toBe(4)
  })

  it('leaves a call that becomes a dead letter in one place', async () => {
    const steps = await atEachStep(
      store => store.put(old),
      store => store.bury({ ...old, phase: 'dead' }),
      (calls, dead, finished) => {
        expect(calls.length + dead.length).toBe(1)
        if (finished) expect([calls.length, dead.length]).toEqual([0, 1])
      },
    )
    expect(steps).toBe(8)
  })

  it('loses no dead letter that is sent anew, and the command said once more ends it', async () => {
    const steps = await atEachStep(
      async store => {
        await store.put(old)
        await store.bury({ ...old, phase: 'dead' })
      },
      store => store.revive(nameOf('a'), old),
      (calls, dead, finished) => {
        expect(calls.length + dead.length).toBeGreaterThan(0)
        if (finished) expect([calls.length, dead.length]).toEqual([1, 0])
      },
    )
    expect(steps).toBe(5)
    // It lies on both shelves.
    const store = await opened()
    rmSync(join(directory, 'dead', nameOf('a')), { force: true })
    await store.bury({ ...old, phase: 'dead' })
    await store.put(old)
    expect(await store.revive(nameOf('a'), old)).toBe(true)
    expect([await all(store, 'calls'), await all(store, 'dead')]).toEqual([[old], []])
  })
})

describe('two processes with one directory', () => {
  const old = call({ id: 'a', acceptedAt: 1 })
  const other = call({ id: 'a', acceptedAt: 2, body: utf8('other') })

  it('overwrite nothing that the other has kept', async () => {
    const [store, second] = [await opened(), new Store(directory)]
    expect([await store.put(old), await second.put(other)]).toEqual([true, false])
    expect(await all(store, 'calls')).toEqual([old])
  })

  it('send no dead letter anew over a call that waits, and keep each dead letter', async () => {
    const store = await opened()
    await store.put(old)
    expect(await store.bury({ ...old, phase: 'dead' })).toBe(nameOf('a'))
    await store.put(other)
    expect(await store.revive(nameOf('a'), old)).toBe(false)
    expect(await all(store, 'calls')).toEqual([other])
    expect(await store.bury({ ...other, phase: 'dead' })).toBe(`${nameOf('a')}+2`)
    expect((await all(store, 'dead')).map(({ acceptedAt }) => acceptedAt)).toEqual([1, 2])
  })

  it.each(['update', 'bury'] as const)(
    'bring nothing back that was taken away, at any step: %s',
    async how => {
      const removed: boolean[] = []
      for (let at = 1; ; at++) {
        rmSync(directory, { recursive: true })
        const second = await opened()
        await second.put(old)
        let steps = 0
        let there: boolean | undefined
        const store = new Store(directory, async () => {
          if (++steps === at) there = await second.remove('a')
        })
        const done = await store[how](
          call({ id: 'a', failures: 1, phase: how === 'bury' ? 'dead' : 'calling' }),
        )
        if (there === undefined) break
        removed.push(there)
        const left = [...(await all(store, 'calls')), ...(await all(store, 'dead'))]
        expect(left.length, `step ${at}`).toBe(there ? 0 : 1)
        if (!there) expect(Boolean(done)).toBe(true)
        expect(readdirSync(join(directory, 'calls')).filter(name => name.includes('.'))).toEqual([])
      }
      expect(removed.length).toBeGreaterThan(4)
      expect(removed.filter(there => there).length).toBeGreaterThan(3)
    },
  )
})
