import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { KeyShareEntry } from '../../src/tls13/extensions.ts'
import { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, encode, hex } from '../../src/wire/index.ts'
import { clientConfig, dataOf, outputOf, recordsOf, serverConfig } from '../support/pair.ts'
import { below, type Seeded, seeded } from '../support/random.ts'
import { Scene } from '../support/scene.ts'
import { EXTENDING, extendingPair, generationOf, updateMessage } from '../support/updating.ts'

type Role = 'client' | 'server'
const OTHER = { client: 'server', server: 'client' } as const
const FAULTS = ['none', 'lost', 'twice', 'flipped', 'swapped'] as const
type Fault = (typeof FAULTS)[number]

/** What the network does to records. */
function spoiled(records: readonly Uint8Array[], fault: Fault, random: Seeded): Uint8Array[] {
  const at = below(random, records.length)
  const one = records[at]!
  switch (fault) {
    case 'none':
      return [...records]
    case 'lost':
      return records.toSpliced(at, 1)
    case 'twice':
      return records.toSpliced(at, 0, one)
    case 'flipped':
      return records.with(at, one.with(5 + below(random, one.length - 5), one.at(-1)! ^ 0x5a))
    case 'swapped':
      return [...records.slice(0, at), ...records.slice(at).toReversed()]
  }
}

/*
 * Both sides talk, ask for updates whenever they like and move, and the network does one thing wrong, or
 * none.
 */
describe.each(FAULTS)('a fault of the network: %s', fault => {
  it('ends the session of who hears it, and no wrong byte is heard', () => {
    let noticed = 0
    let updates = 0
    for (let seed = 0; seed < 25; seed++) {
      const random = seeded(9000 + seed)
      const { client, server } = extendingPair({ random: random.fork() }, { random: seeded(seed + 77) })
      const sides = { client, server }
      const wire: Record<Role, Uint8Array[]> = { client: [], server: [] }
      const sent: Record<Role, Uint8Array[]> = { client: [], server: [] }
      const heard: Record<Role, Uint8Array[]> = { client: [], server: [] }
      const spoilAt = 5 + below(random, 30)
      const collect = (role: Role): void => {
        const records = recordsOf(outputOf(sides[role]))
        wire[role].push(...records)
      }
      for (let step = 0; step < 80; step++) {
        const role: Role = below(random, 2) === 0 ? 'client' : 'server'
        const side = sides[role]
        if (side.closed) break
        const what = below(random, 6)
        if (what < 2 && side.writable) {
          const data = random(1 + below(random, 50))
          sent[role].push(data)
          side.send(data)
        } else if (what === 2 && side.writable) side.updateKeys(true)
        else if (what === 3 && side.connected) {
          const state = decode(SessionState, encode(SessionState, side.release()))
          const config = { ...EXTENDING, random: random.fork() }
          random(1)
          sides[role] = Session.restore(
            state,
            role === 'client' ? clientConfig(config) : serverConfig(config),
          )
        } else {
          const from = OTHER[role]
          const due = wire[from].splice(0)
          const spoils = step >= spoilAt && due.length > 0 && fault !== 'none' && noticed <= seed
          if (spoils) noticed = seed + 1
          const records = spoils ? spoiled(due, fault, random) : due
          heard[role].push(dataOf(sides[role].receive(concat(...records))))
        }
        collect(role)
      }
      updates += Math.max(0, generationOf(sides.client), generationOf(sides.server))
      for (const role of ['client', 'server'] as const) {
        const [got, all] = [hex(concat(...heard[role])), hex(concat(...sent[OTHER[role]]))]
        expect(all.startsWith(got), `seed ${seed}`).toBe(true)
        const alerts = sides[role].closed ? [role] : []
        if (fault === 'none') expect([seed, alerts]).toEqual([seed, []])
      }
    }
    // A test that changes no key, or spoils nothing, shows nothing.
    if (fault === 'none') expect(updates).toBeGreaterThan(40)
    else expect(noticed).toBeGreaterThan(20)
  })
})

it('messages in any order, sealed as they should be, fit, or end the session by a fault of the peer', () => {
  const share = (random: Seeded): Uint8Array => {
    const group = node.groups.find(({ id }) => id === NamedGroup.x25519)!
    const made = below(random, 4) === 0 ? random(32) : group.generate(random).keyExchange
    return encode(KeyShareEntry, { group: group.id, keyExchange: made })
  }
  const reasons = new Set<string>()
  let fitting = 0
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(seed)
    const role: Role = below(random, 2) === 0 ? 'client' : 'server'
    const pair = extendingPair({ random: seeded(seed + 1) }, { random: seeded(seed + 2) })
    const subject = pair[role]
    for (let step = 0; step < 6 && !subject.closed; step++) {
      if (below(random, 4) === 0 && subject.writable) subject.updateKeys(false)
      outputOf(subject)
      const type = below(random, 4)
      const content = type === 2 ? new Uint8Array(0) : share(random)
      const message = updateMessage(type, content)
      // The type, the group, or the length of a share.
      const at = 4 + below(random, Math.min(5, message.length - 4))
      const garbled = below(random, 3) === 0 ? message.with(at, 9) : message
      const scene = new Scene(subject, [])
      const { events } = scene.provoke(scene.handshake(garbled))
      const last = events.at(-1)
      if (last?.type === 'alert') {
        expect([seed, last.error.origin]).toEqual([seed, 'peer'])
        reasons.add(last.error.reason)
      } else fitting++
    }
  }
  expect(fitting).toBeGreaterThan(40)
  expect(reasons.size).toBeGreaterThanOrEqual(5)
})
