import { describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { recover } from '../../../src/containers/survival/recovery.ts'
import type { SessionEvent } from '../../../src/tls13/index.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { Relay } from '../../../src/transfer/relay.ts'
import { concat, EMPTY } from '../../../src/wire/index.ts'
import { LONG_AFTER } from '../../support/deadly-stream.ts'
import { below, seeded } from '../../support/random.ts'
import { CrashWorld, EVERY_BYTE, LONG, SESSION_ID, type Step } from './world.ts'

/**
 * A KeyUpdate that asks for nothing, as the plaintext of a record: the message and the content type (RFC
 * 8446 §4.6.3, 5.2).
 */
const KEY_UPDATE = Uint8Array.of(24, 0, 0, 1, 0, 22)

/** What the client does, one after the other. */
const STEPS: readonly Step[] = [
  'get',
  'keys',
  'post',
  'pipeline',
  'keys and get',
  'half',
  'rest',
  'large',
  'get',
]

/** What has come of one request. */
type Fate = 'answered' | 'interrupted' | 'cut'

/** A gateway relays the connection, and finds another container when its leg ends. */
class World extends CrashWorld {
  readonly fates: Fate[] = []
  readonly #relay = new Relay(EMPTY)

  /** Does everything, and closes. */
  run(): void {
    this.#fresh(EMPTY)
    this.settle()
    for (const step of STEPS) {
      if (this.end !== undefined) return
      this.take(step)
      this.settle()
    }
    if (this.end !== undefined) return
    this.client.close()
    this.settle()
    this.end ??= 'lost'
  }

  #fresh(inbound: Uint8Array): void {
    const envelope = {
      ...freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound }),
      extensions: writeExtensions({ leg: { received: inbound.length } }),
    }
    this.begin(stream => new Connection(this.host(), envelope, stream))
  }

  protected override fromClient(bytes: Uint8Array): void {
    this.#relay.fromClient(bytes)
  }

  protected override toClient(bytes: Uint8Array): void {
    this.hear(concat(...this.#relay.fromLeg(bytes)))
    if (this.#relay.failure !== undefined) throw new Error(this.#relay.failure)
  }

  protected override died(): void {
    if (this.end !== undefined) return
    this.writeDown()
    const end = this.#relay.legEnded()
    switch (end.kind) {
      case 'goodbye':
        this.end ??= 'closed'
        return
      case 'broken':
      case 'lost':
        this.end = 'lost'
        return
      case 'anew':
        this.#fresh(end.inbound)
        return
      case 'takeOver': {
        const { checkpoint, records, retained } = end.from
        const { sealed, generation, received } = checkpoint
        const takeOver = { checkpoint: sealed, generation, received, records, retained }
        const session = { sessionId: SESSION_ID, generation: generation + 1 }
        const recovered = recover(this.keys.checkpoints, takeOver, session)
        if (recovered === undefined) throw new Error('a checkpoint that no successor can open')
        const { envelope, recovery } = recovered
        this.begin(stream => new Connection(this.host(), envelope, stream, { recovery }))
      }
    }
  }

  /**
   * Genuine: it opened under the right key and number, and it is what a successor says of a response that was
   * cut.
   */
  protected override alerted({ from, alert }: Extract<SessionEvent, { type: 'alert' }>): void {
    expect([from, alert]).toEqual(['peer', 'internal_error'])
    this.fates.push('cut')
    this.end = 'alert'
  }

  protected override answered(status: number): void {
    expect([200, 503]).toContain(status)
    this.fates.push(status === 200 ? 'answered' : 'interrupted')
  }

  /**
   * At most one record of a dead container shares its nonce with one that follows, which is a KeyUpdate; the
   * client has seen only that.
   */
  checkNonces(): void {
    for (const [, ...others] of this.sharedNonces())
      for (const { plaintext } of others) expect(plaintext).toEqual(KEY_UPDATE)
  }

  /** Nothing is answered twice, lost without a word, or begun more often than its method allows. */
  checkFates(): void {
    if (this.end === 'closed') expect(this.fates.length).toBe(this.asked)
    else expect(this.fates.length).toBeLessThanOrEqual(this.asked)
    for (const [path, times] of this.begun)
      expect(times, path).toBeLessThanOrEqual(this.posted.has(path) ? 1 : 2)
  }
}

function survive(...deaths: readonly number[]): World {
  const world = new World(deaths)
  world.run()
  world.checkNonces()
  world.checkFates()
  return world
}

describe('a container dies after any number of bytes that have left it', () => {
  const whole = survive()

  it('and without that, everything is answered', () => {
    expect(whole.end).toBe('closed')
    expect(whole.fates).toEqual(Array(9).fill('answered'))
  })

  it('once: its client is answered in the same session, told, or was still in its handshake', () => {
    const ends = { closed: 0, alert: 0, lost: 0 }
    let lastLost = 0
    // The large response is looked at here and there.
    for (let at = 1; at < whole.written; at += at < 6000 ? (EVERY_BYTE ? 1 : 61) : EVERY_BYTE ? 499 : 2999) {
      const world = survive(at)
      expect(world.crashes).toBe(1)
      ends[world.end!]++
      if (world.end === 'lost') lastLost = at
    }
    expect(Math.min(ends.closed, ends.alert, ends.lost)).toBeGreaterThan(0)
    // Two records of the server's flight, and nothing later, can be lost.
    expect(lastLost).toBeLessThan(1500)
  }, 1_200_000)

  it('twice and more often, at random', () => {
    const random = seeded(4)
    const ends = { closed: 0, alert: 0, lost: 0 }
    for (let round = 0; round < (LONG ? 2000 : 25); round++) {
      const deaths = Array.from({ length: 2 + below(random, 3) }, () => 1 + below(random, 4000))
      const world = survive(...deaths)
      ends[world.end!]++
    }
    expect(ends.closed).toBeGreaterThan(0)
  }, 600_000)
})
