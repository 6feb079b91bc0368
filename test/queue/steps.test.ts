import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { AsyncSettings, QueueSettings } from '../../src/platform/queue-settings.ts'
import type { Caller } from '../../src/queue/caller.ts'
import { Queue } from '../../src/queue/queue.ts'
import { nameOf, Store } from '../../src/queue/store.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { answered, call, QUICK_PLACE } from '../support/calls.ts'
import { eventually } from '../support/platform.ts'

/*
 * A whole queue, at each thing in turn that it does to the disk: it ends there, as a process does that is
 * killed (kills.test.ts really kills some); or other hands take the call away, or send it anew.
 */

const OF_F: AsyncSettings = { retries: 1, first: 1, most: 3_600_000, timeout: 1000, concurrency: 2 }
const log = { debug() {}, info() {}, warn() {}, error() {} }
const NEVER = new Promise<never>(() => {})
const LATER = 3_600_000

interface World {
  readonly store: Store
  readonly queue: Queue
  /** What functions and callbacks were asked, in their order. */
  readonly made: string[]
  accept(id: string, more?: { readonly callback?: string; readonly dueAt?: number }): Promise<unknown>
  /** Until no call is left. */
  over(): Promise<unknown>
}

/** A first try of each fails; those called `dead` can come to nothing. */
function world(directory: string, made: string[], step?: (what: string) => void | Promise<void>): World {
  const store = new Store(directory, step)
  const bounds = { calls: 10, bytes: 100_000, concurrency: 3, deadLetters: 1 }
  const settings: QueueSettings = {
    ...{ directory, callbacks: [], callBytes: 1000, answerBytes: 1000, ...bounds, functions: { f: OF_F } },
  }
  const caller: Caller = {
    async call({ id, failures }) {
      made.push(`call ${id}`)
      if (id === 'dead') return { kind: 'impossible', reason: 'on purpose' }
      return answered(failures === 0 ? 503 : 200)
    },
    async tell({ id, failures, answer }) {
      made.push(`tell ${id} ${answer!.status}`)
      return answered(failures === 0 ? 500 : 204)
    },
  }
  const clock = SYSTEM_CLOCK
  const queue = new Queue({ store, caller, settings, clock, log, random: () => 0 })
  return {
    ...{ store, queue, made },
    accept: (id, { callback = '', dueAt = clock.wall() } = {}) =>
      queue.accept(call({ id, callback, dueAt, acceptedAt: clock.wall() })),
    over: () => eventually(() => queue.size === 0 || undefined, 'calls are left'),
  }
}

/** Does that in a world of its own. */
async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(QUICK_PLACE, 'hotpotato-queue-'))
  try {
    await new Store(directory).open()
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

interface Killed {
  readonly what: string
  /** Before the first life. */
  prepare?(store: Store): Promise<unknown>
  /** In the first life, after which all is settled. @param say what a client or a user was told */
  live(world: World, say: (what: string) => void): Promise<unknown>
  /** After a second life. */
  judge(found: { calls: string[]; dead: string[]; made: string[]; said: string[] }): void
}

const dead = (id: string) => call({ id, phase: 'dead', acceptedAt: 1 })
const KILLED: readonly Killed[] = [
  {
    what: 'a call that is tried again, and its callback',
    async live({ accept, over }, say) {
      say(String(await accept('a', { callback: 'http://hook/' })))
      await over()
    },
    judge({ calls, dead, made, said }) {
      expect([calls, dead]).toEqual([[], []])
      if (said.includes('kept')) expect(made).toEqual(expect.arrayContaining(['call a', 'tell a 200']))
    },
  },
  {
    what: 'a call that is given up, for which an older dead letter goes',
    async prepare(store) {
      await store.put(call({ id: 'older' }))
      await store.bury(dead('older'))
    },
    async live({ accept, over, store }, say) {
      say(String(await accept('dead')))
      await over()
      await eventually(() => store.names('dead').length === 1 || undefined, 'both are there')
    },
    judge({ calls, dead, made, said }) {
      expect([calls.length, dead.length]).toEqual([0, 1])
      if (said.includes('kept')) expect([dead, made.includes('call dead')]).toEqual([['dead'], true])
    },
  },
  {
    what: 'a call that is taken back',
    prepare: store => store.put(call({ id: 'far', dueAt: Date.now() + LATER })),
    async live({ queue }, say) {
      if (await queue.cancel('far')) say('gone')
    },
    judge({ calls, dead, made, said }) {
      expect([dead, made]).toEqual([[], []])
      if (said.includes('gone')) expect(calls).toEqual([])
    },
  },
  {
    what: 'a dead letter that is sent anew',
    async prepare(store) {
      await store.put(call({ id: 'b' }))
      await store.bury(dead('b'))
    },
    async live({ store, queue, over }, say) {
      if (await store.revive(nameOf('b'), call({ id: 'b', acceptedAt: 1 }))) say('sent')
      await queue.look(nameOf('b'))
      await over()
    },
    judge({ calls, dead, made, said }) {
      expect(calls).toEqual([])
      if (said.includes('sent')) expect(dead).toEqual([])
      expect(dead.includes('b') || made.includes('call b')).toBe(true)
    },
  },
]

it.each(KILLED)('an end at any step of $what', { timeout: 300_000 }, async ({ prepare, live, judge }) => {
  let ended = true
  for (let at = 1; ended; at++)
    await inDirectory(async directory => {
      await prepare?.(new Store(directory))
      const [made, said]: [string[], string[]] = [[], []]
      let steps = 0
      let end = (): void => {}
      const killed = new Promise<true>(resolve => {
        end = () => resolve(true)
      })
      const first = world(directory, made, () => {
        if (++steps < at) return undefined
        end()
        return NEVER
      })
      const lived = first.queue.deliver().then(() => live(first, what => said.push(what)))
      ended = await Promise.race([killed, lived.then(() => false)])
      const second = world(directory, made)
      await second.queue.deliver()
      const { store, queue } = second
      const waiting = (): string[] => store.names('calls').filter(name => name !== nameOf('far'))
      await eventually(() => waiting().length === 0 || undefined, `calls are left after step ${at}`)
      const left = store.names('calls').length
      await eventually(() => queue.size === left || undefined, 'it does not know what is there')
      const ids = (shelf: 'calls' | 'dead'): string[] =>
        store.names(shelf).map(name => Buffer.from(name, 'base64url').toString())
      await eventually(() => store.names('dead').length <= 1 || undefined, 'too many dead letters')
      judge({ calls: ids('calls'), dead: ids('dead'), made, said })
      expect(readdirSync(store.folder('calls')).filter(name => name.includes('.'))).toEqual([])
    })
})

/** Does something at each step of a call in turn. @returns how often that had an effect */
async function atEachStep(
  id: string,
  callback: string,
  disturb: (world: World) => Promise<boolean>,
  judge: (world: World, done: boolean, step: number) => Promise<unknown>,
): Promise<number> {
  let effects = 0
  for (let at = 1, reached = true; reached; at++)
    await inDirectory(async directory => {
      let steps = 0
      let disturbed: Promise<boolean> | undefined
      const one = world(directory, [], () => {
        if (++steps === at) disturbed = disturb(one)
      })
      await one.queue.deliver()
      await one.accept(id, { callback })
      await one.over()
      reached = disturbed !== undefined
      const done = (await disturbed) ?? false
      if (done) effects++
      await judge(one, done, at)
    })
  return effects
}

it.each([
  ['a', ''],
  ['a', 'http://hook/'],
  ['dead', ''],
  ['dead', 'http://hook/'],
])(
  'what is taken back at any step stays away: %s, callback %j',
  { timeout: 300_000 },
  async (id, callback) => {
    const taken = new Map<World, number>()
    const effects = await atEachStep(
      id,
      callback,
      async one => {
        const there = await one.queue.cancel(id)
        taken.set(one, one.made.length)
        return there
      },
      async ({ store, made, ...one }, done, step) => {
        if (!done) return
        expect([store.names('calls'), store.names('dead')], `step ${step}`).toEqual([[], []])
        // Nothing that was not underway has followed.
        const before = [...taken].find(([world]) => world.queue === one.queue)![1]
        expect(made.length, `step ${step}`).toBeLessThanOrEqual(before + 1)
      },
    )
    expect(effects).toBeGreaterThan(3)
  },
)

it('what is sent anew at any step of its burial is called again', { timeout: 300_000 }, async () => {
  const effects = await atEachStep(
    'dead',
    '',
    async ({ store: { directory }, queue }) => {
      const other = new Store(directory)
      const letter = await other.get('dead', nameOf('dead'))
      if (letter === undefined) return false
      const sent = await other.revive(nameOf('dead'), { ...letter, phase: 'calling' })
      void queue.look(nameOf('dead'))
      return sent
    },
    async ({ made, over, store }, done, step) => {
      if (!done) return
      await eventually(() => made.length === 2 || undefined, `it lies there after step ${step}`)
      await over()
      expect([store.names('calls'), store.names('dead')]).toEqual([[], [nameOf('dead')]])
    },
  )
  expect(effects).toBeGreaterThan(1)
})
