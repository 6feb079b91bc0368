import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { Session, TlsError } from '../../src/tls13/index.ts'
import { decodeControl, encodeControl } from '../../src/transfer/control.ts'
import { decodeEnvelope, EnvelopeError, encodeEnvelope } from '../../src/transfer/envelope.ts'
import { examineEnvelope } from '../../src/transfer/examination.ts'
import { FOREIGN_CODECS, ForeignError } from '../../src/transfer/foreign.ts'
import { DecodeError, fromHex, hex } from '../../src/wire/index.ts'
import { clientConfig, connectedPair, serverConfig } from '../support/pair.ts'
import { below, seeded } from '../support/random.ts'
import { mutate } from './mutation.ts'

const RUNS = process.env.HOTPOTATO_LONG === '1' ? 50_000 : 2000
const SEED = Number(process.env.HOTPOTATO_SEED ?? 20_261_121)

const { vectors } = JSON.parse(
  readFileSync(new URL('../../vectors/transfer/envelope-v3.json', import.meta.url), 'utf8'),
) as { vectors: { name: string; bytes: string }[] }
const golden = vectors.map(({ bytes }) => fromHex(bytes))

/** Tries changed bytes; `attempt` throws only what it may. @returns how many were refused */
function fuzz(
  originals: readonly Uint8Array[],
  attempt: (bytes: Uint8Array, run: number) => boolean,
): number {
  let refused = 0
  for (let run = 0; run < RUNS; run++) {
    const random = seeded(SEED + run)
    const [one, other] = [below(random, originals.length), below(random, originals.length)]
    const input = mutate(originals[one]!, originals[other]!, random)
    try {
      if (!attempt(input, run)) refused++
    } catch (error) {
      throw new Error(`HOTPOTATO_SEED=${SEED + run}, input ${hex(input)}`, { cause: error })
    }
  }
  return refused
}

it('envelopes that were changed are refused, or are what they say; a session of one throws nothing', () => {
  let lived = 0
  const refused = fuzz(golden, (bytes, run) => {
    const faults = examineEnvelope(bytes, noble)
    let envelope: ReturnType<typeof decodeEnvelope>
    try {
      envelope = decodeEnvelope(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(EnvelopeError)
      expect(faults).toHaveLength(1)
      return false
    }
    expect(hex(encodeEnvelope(envelope))).toBe(hex(bytes))
    if (envelope.tls === undefined) return true
    const config = envelope.tls.role === 'server' ? serverConfig() : clientConfig()
    try {
      const session = Session.restore(envelope.tls, config)
      session.receive(seeded(run)(200))
      session.takeOutput()
      session.release()
      lived++
    } catch (error) {
      // What cannot go on here says so at once; that is for the sender to hear.
      expect(error).toBeInstanceOf(TlsError)
    }
    return true
  })
  expect(refused).toBeGreaterThan(RUNS / 4)
  expect(lived).toBeGreaterThan(RUNS / 50)
})

it('messages of the control protocol that were changed are refused, or are what they say', () => {
  const peer = {
    id: 3,
    role: 'container',
    name: 'echo-1',
    functionName: 'echo',
    publicKey: new Uint8Array(32),
  } as const
  const originals = [
    encodeControl({ kind: 'introduce', peer }),
    encodeControl({ kind: 'status', counters: [{ name: 'moved', value: 7 }] }),
    encodeControl({
      kind: 'parcel',
      ticket: new Uint8Array(8),
      sessionId: new Uint8Array(16),
      generation: 1,
      sealed: golden[0]!,
    }),
    encodeControl({
      kind: 'verdict',
      ticket: new Uint8Array(8),
      verdict: { outcome: 'refused', reason: 'seal', detail: 'no' },
    }),
    encodeControl({
      kind: 'taken',
      parcels: [{ ticket: new Uint8Array(8) }, { ticket: new Uint8Array(8).fill(1) }],
    }),
  ]
  const refused = fuzz(originals, bytes => {
    try {
      expect(hex(encodeControl(decodeControl(bytes)))).toBe(hex(bytes))
      return true
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return false
    }
  })
  expect(refused).toBeGreaterThan(RUNS / 10)
})

it('sessions of picotls that were changed are refused, or go on', () => {
  const picotls = FOREIGN_CODECS.get('picotls')!
  const { client, server } = connectedPair({ alpn: ['x'] }, { alpn: ['x'] })
  const originals = [picotls.encode(client.release()), picotls.encode(server.release())]
  const refused = fuzz(originals, (bytes, run) => {
    try {
      const state = picotls.decode(bytes)
      Session.restore(state, state.role === 'server' ? serverConfig() : clientConfig()).receive(
        seeded(run)(100),
      )
      return true
    } catch (error) {
      if (!(error instanceof ForeignError || error instanceof TlsError)) throw error
      return false
    }
  })
  expect(refused).toBeGreaterThan(RUNS / 10)
})
