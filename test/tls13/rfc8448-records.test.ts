import { describe, expect, it } from 'vitest'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { decodeHandshake, type MessageOf } from '../../src/tls13/messages.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { readRecord } from '../../src/tls13/record.ts'
import { suiteOf } from '../../src/tls13/transition.ts'
import { hex } from '../../src/wire/index.ts'
import { providers } from '../support/providers.ts'
import { type Actor, field, messages, steps, type Trace, traces } from '../support/traces.ts'

const ACTORS: readonly Actor[] = ['client', 'server']

describe.each(providers)('$name', provider => {
  it.each(traces)('RFC 8448 §$section: every protected record opens', one => {
    for (const actor of ACTORS) {
      const epochs = protections(one, actor, provider)
      for (const { epoch, type, payload, record } of protectedRecords(one, actor)) {
        const raw = readRecord(record, 0, true)!
        const opened = epochs(epoch).open(raw)
        expect([actor, opened.type, hex(opened.content)]).toEqual([actor, type, hex(payload)])
      }
    }
  })

  it.each(traces)('RFC 8448 §$section: every protected record is sealed to the same bytes', one => {
    for (const actor of ACTORS) {
      const epochs = protections(one, actor, provider)
      for (const { epoch, type, payload, record } of protectedRecords(one, actor)) {
        expect(hex(epochs(epoch).seal(type, payload))).toBe(hex(record))
      }
    }
  })
})

it('the five traces hold 27 protected records', () => {
  const all = traces.flatMap(one => ACTORS.flatMap(actor => protectedRecords(one, actor)))
  expect(all.length).toBe(27)
})

type Epoch = 'e' | 'hs' | 'ap'

interface ProtectedRecord {
  readonly epoch: Epoch
  readonly type: number
  readonly payload: Uint8Array
  readonly record: Uint8Array
}

const TYPES: Readonly<Record<string, number>> = { alert: 21, handshake: 22, application_data: 23 }

/**
 * The protected records of an actor. The first handshake record is the flight; before it stands early data,
 * if any.
 */
function protectedRecords(one: Trace, actor: Actor): ProtectedRecord[] {
  const early = steps(one, actor, 'construct an EndOfEarlyData').length > 0
  let epoch: Epoch = early ? 'e' : 'hs'
  return steps(one, actor, 'send ')
    .filter(step => field(step, 'complete record')[0] === 23)
    .map(step => {
      const record = {
        epoch,
        type: TYPES[/^send (\w+) record/.exec(step.action)![1]!]!,
        payload: field(step, 'payload'),
        record: field(step, 'complete record'),
      }
      // the key changes after EndOfEarlyData (5) and after the flight that ends with Finished
      if (record.type === 22) epoch = record.payload[0] === 5 ? 'hs' : 'ap'
      return record
    })
}

/** One protection per epoch, each counting its records from 0. */
function protections(one: Trace, actor: Actor, provider: CryptoProvider): (epoch: Epoch) => Protection {
  const hello = decodeHandshake(messages(one, 'ServerHello').at(-1)!) as MessageOf<'server_hello'>
  const suite = suiteOf(provider, hello.cipherSuite)
  const made = new Map<Epoch, Protection>()
  return epoch => {
    const label = `tls13 ${actor[0]} ${epoch} traffic`
    const [derived] = steps(one, undefined, `derive secret "${label}"`)
    const protection =
      made.get(epoch) ??
      new Protection(suite, { trafficSecret: field(derived!, 'expanded'), sequenceNumber: 0 })
    made.set(epoch, protection)
    return protection
  }
}
