import { describe, expect, it } from 'vitest'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { CipherSuiteId } from '../../../src/tls13/codepoints.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { SharedRing } from '../../../src/transfer/keys/ring.ts'
import { DecodeError, decode, encode, hex } from '../../../src/wire/index.ts'

const HOUR = 3_600_000
let now = 1_700_000_000_000
const ring = (rules?: Uint8Array) => {
  const spans = { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => now }
  return new KeyRing(node, rules === undefined ? spans : { ...spans, rules })
}

const contents = {
  cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
  psk: new Uint8Array(32).fill(7),
  issuedAt: 0,
  lifetime: 7200,
  ageAdd: 1,
  serverName: 'echo.local',
  alpn: undefined,
  maxEarlyData: 1000,
  peerCertificate: undefined,
  peerIntermediates: [],
}
/** Milliseconds that this process has worked: a busy machine lets them be as many as on a quiet one. */
const worked = () => process.cpuUsage().user / 1000
const seal = (from: KeyRing) => from.tickets.seal(contents, node.random)

describe('a key ring', () => {
  it('opens what it has sealed, for as long as that lives, and no longer', () => {
    const one = ring()
    const ticket = seal(one)
    expect(one.tickets.open(ticket)).toEqual(contents)
    now += 2 * HOUR
    expect(one.tickets.open(ticket)).toEqual(contents)
    now += HOUR
    expect(one.tickets.open(ticket)).toBeUndefined()
  })

  it('opens no ticket that was issued under other rules, but every checkpoint', () => {
    const [old, same, other] = [ring(Uint8Array.of(1)), ring(Uint8Array.of(1)), ring(Uint8Array.of(2))]
    const ticket = seal(old)
    const context = { sessionId: new Uint8Array(16), generation: 0, received: 0 }
    const checkpoint = old.checkpoints.seal(context, Uint8Array.of(9))
    for (const one of [same, other]) one.merge(old.share())
    expect(same.tickets.open(ticket)).toBeDefined()
    expect(other.tickets.open(ticket)).toBeUndefined()
    expect(other.checkpoints.open(context, checkpoint)).toEqual(Uint8Array.of(9))
  })

  it('opens a checkpoint for that session alone, as it was then, and if its function has sealed it', () => {
    const [one, sibling, stranger] = [ring(), ring(), ring()]
    sibling.merge(one.share())
    const context = { sessionId: new Uint8Array(16).fill(1), generation: 3, received: 500 }
    const sealed = one.checkpoints.seal(context, Uint8Array.of(1, 2, 3)).slice()
    expect(sibling.checkpoints.open(context, sealed)).toEqual(Uint8Array.of(1, 2, 3))
    const others = [
      { ...context, sessionId: new Uint8Array(16).fill(2) },
      { ...context, generation: 2 },
      { ...context, generation: 4 },
      { ...context, received: 499 },
      { ...context, received: 501 },
    ]
    for (const other of others) expect(sibling.checkpoints.open(other, sealed)).toBeUndefined()
    expect(stranger.checkpoints.open(context, sealed)).toBeUndefined()
    const forged = stranger.checkpoints.seal(context, Uint8Array.of(1, 2, 3)).slice()
    // In the name of the sibling, too.
    forged.set(sealed.subarray(0, 20))
    expect(sibling.checkpoints.open(context, forged)).toBeUndefined()
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.slice()
      changed[at]! ^= 1
      expect(sibling.checkpoints.open(context, changed)).toBeUndefined()
      expect(sibling.checkpoints.open(context, sealed.subarray(0, at))).toBeUndefined()
    }
  })

  it('changes the key it seals with, every hour', () => {
    const one = ring()
    const name = () => hex(seal(one).subarray(0, 16))
    const first = name()
    expect(name()).toBe(first)
    now += HOUR
    expect(name()).not.toBe(first)
  })

  it('opens what a sibling has sealed before and after they met, without early data', () => {
    const [one, two] = [ring(), ring()]
    const before = seal(two)
    expect(one.tickets.open(before)).toBeUndefined()
    expect(one.merge(two.share())).toBe(true)
    expect(one.merge(two.share())).toBe(false)
    now += HOUR
    const after = seal(two)
    for (const ticket of [before, after])
      expect(one.tickets.open(ticket)).toEqual({ ...contents, maxEarlyData: 0 })
    expect(two.tickets.open(seal(one))).toBeUndefined()
  })

  it('passes on what it knows of one that is dead, until nothing of it can be valid', () => {
    const [dead, sibling] = [ring(), ring()]
    const ticket = seal(dead)
    sibling.merge(dead.share())
    const successor = ring()
    successor.merge(sibling.share())
    expect(successor.tickets.open(ticket)).toEqual({ ...contents, maxEarlyData: 0 })
    expect(successor.size).toBe(3)
    now += 5 * HOUR
    // The sibling lives, and says so.
    successor.merge(sibling.share())
    expect(successor.size).toBe(2)
  })

  it('cannot be turned back: a thief of today cannot open what was sealed long ago', () => {
    const one = ring()
    const ticket = seal(one)
    now += 3 * HOUR
    const thief = ring()
    thief.merge(one.share())
    now -= 3 * HOUR
    expect(thief.tickets.open(ticket)).toBeUndefined()
    now += 3 * HOUR
  })

  it('takes nothing from a sibling whose clock is far off', () => {
    const one = ring()
    now += 100 * HOUR
    const ahead = ring()
    const shared = ahead.share()
    now -= 100 * HOUR
    expect(one.merge(shared)).toBe(false)
    expect(one.size).toBe(1)
  })

  it('goes on with what it has when the clock is set a day forward and back', () => {
    const [one, two] = [ring(), ring()]
    const checkpoint = { sessionId: new Uint8Array(16), generation: 1, received: 0 }
    const works = (): void => {
      // As they do once in an epoch.
      one.merge(two.share())
      two.merge(one.share())
      expect(two.tickets.open(seal(one))).toEqual({ ...contents, maxEarlyData: 0 })
      expect(one.tickets.open(seal(one))).toEqual(contents)
      const sealed = one.checkpoints.seal(checkpoint, Uint8Array.of(1, 2, 3))
      expect(two.checkpoints.open(checkpoint, sealed)).toEqual(Uint8Array.of(1, 2, 3))
    }
    works()
    now += 24 * HOUR
    works()
    now -= 24 * HOUR
    works()
    now -= 24 * HOUR
    works()
    now += 24 * HOUR
  })

  it('does not catch up with half a century, but begins anew, and siblings learn of it', () => {
    const before = now
    now = 0
    const [one, two] = [ring(), ring()]
    one.merge(two.share())
    const begun = worked()
    now = 1_790_000_000_000
    expect(one.size).toBe(1)
    expect(two.merge(one.share())).toBe(true)
    expect(two.tickets.open(seal(one))).toEqual({ ...contents, maxEarlyData: 0 })
    // Half a million steps for each secret took 6.5 s.
    expect(worked() - begun).toBeLessThan(2000)
    now = before
  })

  it('takes no secret that would make it work for long', () => {
    const one = ring()
    const far = decode(SharedRing, ring().share())
    for (const secret of far.secrets) secret.epoch = 0
    const begun = worked()
    expect(one.merge(encode(SharedRing, far))).toBe(false)
    expect(one.size).toBe(1)
    expect(worked() - begun).toBeLessThan(2000)
  })

  it('opens no noise, and merges none', () => {
    const one = ring()
    const ticket = seal(one)
    for (let length = 0; length < ticket.length; length++)
      expect(one.tickets.open(ticket.slice(0, length))).toBeUndefined()
    for (let at = 0; at < ticket.length; at++) {
      const changed = ticket.slice()
      changed[at]! ^= 1
      expect(one.tickets.open(changed)).toBeUndefined()
    }
    expect(() => one.merge(Uint8Array.of(0, 1, 2))).toThrow(DecodeError)
  })
})
