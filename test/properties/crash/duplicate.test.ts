import { describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { recover } from '../../../src/containers/survival/recovery.ts'
import type { SessionEvent } from '../../../src/tls13/index.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { SlotFile } from '../../../src/transfer/slot-file.ts'
import { Descriptor } from '../../../src/transfer/stream.ts'
import { EMPTY } from '../../../src/wire/index.ts'
import type { FakeHost } from '../../support/connection-scene.ts'
import { LONG_AFTER } from '../../support/deadly-stream.ts'
import { below, seeded } from '../../support/random.ts'
import { CrashWorld, EVERY_BYTE, LONG, LONGEST, SESSION_ID, type Step } from './world.ts'

const GATEWAY = 50
const PLACE = { gateway: GATEWAY, cookie: new Uint8Array(8), slot: 0 }
const STEPS: readonly Step[] = [
  'get',
  'keys',
  'post',
  'keys and get',
  'head',
  'rest',
  'large',
  'body',
  'rest',
  'get',
]
const IN_A_BODY = STEPS.indexOf('body') + 1

const native = probe()
const libc = native.available ? native.libc : (undefined as never)

/**
 * A kernel that counts, and a file of slots: a container dies over a write, after so many bytes, or between
 * two steps.
 */
class World extends CrashWorld {
  responses = 0
  takenOver = 0
  readonly #file = SlotFile.create(libc, 1)
  readonly #dieBefore: ReadonlySet<number>
  #generation = 0
  #counts = { read: 0, written: 0 }

  /** @param dieBefore the steps before which one dies */
  constructor(deaths: readonly number[], dieBefore: readonly number[]) {
    super(deaths)
    this.#dieBefore = new Set(dieBefore)
  }

  run(): void {
    const extensions = writeExtensions({ slot: { ...PLACE, sequence: 0, received: 0, sent: 0 } })
    const fresh = freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound: EMPTY })
    this.begin(stream => new Connection(this.host(), { ...fresh, extensions }, stream))
    this.settle()
    STEPS.forEach((step, index) => {
      if (this.end !== undefined) return
      if (this.#dieBefore.has(index)) {
        this.crashes++
        this.died()
      }
      if (this.end === undefined) this.take(step)
      this.settle()
    })
    if (this.end === undefined) this.client.close()
    this.settle()
    this.#file.close()
  }

  protected override host(): FakeHost {
    const host = super.host()
    host.slots.add(GATEWAY, Descriptor.fromFd(libc.duplicate(this.#file.descriptor.fd)), 1)
    return host
  }

  protected override fromClient(bytes: Uint8Array): void {
    this.#counts.read += bytes.length
  }

  protected override toClient(bytes: Uint8Array): void {
    this.#counts.written += bytes.length
    this.hear(bytes)
  }

  protected override finished(): void {
    this.end = 'closed'
  }

  /** The gateway asks the kernel, and looks for a checkpoint that says the same. */
  protected override died(): void {
    this.writeDown()
    const { read, written } = this.#counts
    const found = this.#file
      .checkpoints(0)
      .find(({ checkpoint: { received, sent } }) => received === read && sent === written)
    if (found === undefined) {
      this.end = 'lost'
      return
    }
    const { sealed, generation, received } = found.checkpoint
    this.#generation = Math.max(this.#generation, generation) + 1
    const takeOver = { checkpoint: sealed, generation, received, records: 0, retained: EMPTY }
    const session = { sessionId: SESSION_ID, generation: this.#generation }
    const recovered = recover(this.keys.checkpoints, takeOver, session)
    if (recovered === undefined) throw new Error('a checkpoint that no successor can open')
    this.takenOver++
    this.begin(stream => new Connection(this.host(), recovered.envelope, stream, recovered))
  }

  protected override alerted({ error }: Extract<SessionEvent, { type: 'alert' }>): void {
    throw error
  }

  protected override answered(status: number): void {
    expect(status).toBe(200)
    this.responses++
  }

  /** Here there is no exception. */
  checkNonces(): void {
    expect(this.sharedNonces()).toEqual([])
  }

  /** Nothing is begun twice; what was asked is answered, or the connection has ended. */
  checkFates(): void {
    for (const [path, times] of this.begun) expect(times, path).toBe(1)
    if (this.end === 'closed') expect(this.responses).toBe(this.asked)
    else expect(this.responses).toBeLessThanOrEqual(this.asked)
  }
}

function survive(deaths: readonly number[], dieBefore: readonly number[] = []): World {
  const world = new World(deaths, dieBefore)
  world.run()
  world.checkNonces()
  world.checkFates()
  return world
}

describe.runIf(native.available)('a container dies whose connection has a duplicate', () => {
  it('and without that, everything is answered', () => {
    expect(survive([])).toMatchObject({ end: 'closed', responses: 7, crashes: 0 })
  })

  it('between any two steps: the client notices only new keys, unless half of a content has come', () => {
    STEPS.forEach((step, index) => {
      const world = survive([], [index])
      expect([world.end, world.takenOver], step).toEqual(index === IN_A_BODY ? ['lost', 0] : ['closed', 1])
    })
  })

  it('between all of these: it goes on every time', () => {
    const idle = STEPS.map((_, index) => index).filter(index => index !== IN_A_BODY)
    expect(survive([], idle)).toMatchObject({ end: 'closed', crashes: idle.length, takenOver: idle.length })
  })

  const title = 'over a write, after any number of bytes: it ends, and what was sealed twice never left twice'
  it(title, { timeout: LONGEST }, () => {
    const whole = survive([])
    // Behind the small answers there is one of 200,000 bytes, all alike.
    const within = Array.from({ length: whole.written - 1 }, (_, i) => i + 1).filter(at =>
      at < 6000 ? EVERY_BYTE || at % 199 === 1 : at % (EVERY_BYTE ? 499 : 19_973) === 0,
    )
    const lost = { crashes: 1, takenOver: 0, end: 'lost' }
    for (const at of within.filter(at => !whole.writeEnds.has(at))) expect(survive([at])).toMatchObject(lost)
  })

  it('right behind a write: it is taken over where the checkpoint counts that write, only there', () => {
    const { writeEnds, written } = survive([])
    const ends = [...writeEnds].filter(at => at < written).map(at => survive([at]))
    const fates = ends.map(({ end, takenOver }) => `${end} ${takenOver}`)
    expect(new Set(fates)).toEqual(new Set(['lost 0', 'closed 1']))
  })

  it('at random, over writes and between them', () => {
    const random = seeded(8)
    let takenOver = 0
    for (let round = 0; round < (LONG ? 2000 : 20); round++) {
      const deaths = below(random, 2) === 0 ? [] : [1 + below(random, 6000)]
      const before = Array.from({ length: 1 + below(random, 4) }, () => below(random, STEPS.length))
      takenOver += survive(deaths, before).takenOver
    }
    expect(takenOver).toBeGreaterThan(LONG ? 20 : 10)
  }, 600_000)
})
