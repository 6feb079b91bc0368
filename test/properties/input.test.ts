import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import type { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { DecodeError, decode, encode, hex } from '../../src/wire/index.ts'
import { describeEvent, hear, KINDS, perform, record, SEED, type Step } from '../support/conversation.ts'
import { outputOf, recordsOf } from '../support/pair.ts'
import { seeded } from '../support/random.ts'
import { eventsOf } from '../support/remote.ts'
import { clientIn, type StateName, serverIn } from '../support/scene.ts'

const LONG = process.env.HOTPOTATO_LONG === '1'
/** Changed bytes that are tried in each conversation. */
const RUNS = LONG ? 500 : 30
/** How often a property is tried: often in the long run. */
const often = (runs: number): number => (LONG ? runs : Math.ceil(runs / 4))

const recordings = KINDS.flatMap(kind => {
  const { client, server } = record(kind)
  return [client, server].map(recording => ({ title: `${kind.name}, the ${recording.role}`, recording }))
})

describe.each(recordings)('$title', ({ recording }) => {
  it('says the same however its input is cut', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat({ max: 120 })), cuts => {
        const session = recording.start(node, seeded(SEED[recording.role]))
        const events: string[] = []
        const outputs: string[] = []
        for (const step of recording.steps) {
          for (const piece of pieces(step, cuts)) events.push(...perform(session, piece).map(describeEvent))
          outputs.push(hex(outputOf(session)))
        }
        expect(events).toEqual(recording.events)
        expect(outputs).toEqual(recording.outputs)
      }),
      { numRuns: often(25) },
    )
  })

  it('says the same to feed() and next() as to receive()', () => {
    const session = recording.start(node, seeded(SEED[recording.role]))
    const events: string[] = []
    for (const step of recording.steps) {
      if (step.bytes === undefined) events.push(...perform(session, step).map(describeEvent))
      else session.feed(step.bytes)
      events.push(...hear(session, eventsOf(session)).map(describeEvent))
      outputOf(session)
    }
    expect(events).toEqual(recording.events)
  })

  it('answers a changed byte with an alert or an event, and never throws', () => {
    let alerts = 0
    fc.assert(
      fc.property(
        fc.nat({ max: recording.steps.length - 1 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (number, at, change) => {
          const session = recording.start(node, seeded(SEED[recording.role]))
          const events = recording.steps.slice(0, number).flatMap(step => liveThrough(session, step))
          const { bytes } = recording.steps[number]!
          if (bytes === undefined) return
          const place = at % bytes.length
          events.push(...perform(session, { bytes: bytes.with(place, bytes[place]! ^ change) }))
          alerts += events.filter(event => event.type === 'alert').length
          expectSound(session)
        },
      ),
      { numRuns: RUNS },
    )
    // most bytes are covered by a signature, a MAC or a tag
    expect(alerts).toBeGreaterThan(RUNS / 15)
  })

  it('the states on the way are what their encoding says', () => {
    const session = recording.start(node, seeded(SEED[recording.role]))
    for (const step of recording.steps) {
      for (const record of step.bytes === undefined ? [] : recordsOf(step.bytes)) {
        // half a record, then the other half: both kinds of buffers are in use
        perform(session, { bytes: record.slice(0, 20) })
        expectSound(session)
        perform(session, { bytes: record.slice(20) })
        expectSound(session)
      }
      if (step.bytes === undefined) perform(session, step)
      expectSound(session)
      outputOf(session)
    }
  })
})

const STATES: readonly (readonly ['server' | 'client', StateName])[] = [
  ['server', 'START'],
  ['server', 'WAIT_SECOND_CLIENT_HELLO'],
  ['server', 'WAIT_COOKIE'],
  ['server', 'WAIT_EOED'],
  ['server', 'WAIT_CERT'],
  ['server', 'WAIT_CV'],
  ['server', 'WAIT_FINISHED'],
  ['server', 'CONNECTED'],
  ['client', 'WAIT_SH'],
  ['client', 'WAIT_EE'],
  ['client', 'WAIT_CERT_CR'],
  ['client', 'WAIT_CERT'],
  ['client', 'WAIT_CV'],
  ['client', 'WAIT_FINISHED'],
  ['client', 'CONNECTED'],
]

describe.each(STATES)('a %s in %s', (role, state) => {
  const bring = () => (role === 'server' ? serverIn(state) : clientIn(state))
  const bytes = fc.uint8Array({ maxLength: 300 }).map(one => new Uint8Array(one))

  it('takes random bytes without throwing', () => {
    fc.assert(
      fc.property(bytes, input => {
        const { subject } = bring()
        subject.receive(input)
        expectSound(subject)
      }),
      { numRuns: often(25) },
    )
  })

  it('takes random handshake messages of every type without throwing', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 5, 8, 11, 13, 15, 20, 24, 25), bytes, (type, body) => {
        const scene = bring()
        const header = Uint8Array.of(type, 0, body.length >> 8, body.length & 0xff)
        const events = scene.subject.receive(scene.handshake(header, body))
        // a random body of a type that fits is never right but for a KeyUpdate, and a whole wrong one is an
        // alert
        if (events.length > 0)
          expect(['alert', 'key_update', 'new_session_ticket']).toContain(events[0]!.type)
        expectSound(scene.subject)
      }),
      { numRuns: often(40) },
    )
  })

  it('takes random content of every record type without throwing', () => {
    fc.assert(
      fc.property(fc.constantFrom(20, 21, 22, 23, 24, 0), bytes, (type, content) => {
        const scene = bring()
        scene.subject.receive(scene.writer()(type, content))
        expectSound(scene.subject)
      }),
      { numRuns: often(40) },
    )
  })

  it('takes what its peer rightly says with a byte changed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const scene = bring()
        // where the peer has nothing to say, it says something that fits anyway
        const genuine =
          scene.genuine.length > 0 ? scene.genuine : scene.handshake(Uint8Array.of(24, 0, 0, 1, 0))
        const place = at % genuine.length
        scene.subject.receive(genuine.with(place, genuine[place]! ^ change))
        expectSound(scene.subject)
      }),
      { numRuns: often(60) },
    )
  })
})

describe('bytes that are no session state', () => {
  const states = STATES.map(([role, state]) => {
    const { subject } = role === 'server' ? serverIn(state) : clientIn(state)
    return encode(SessionState, subject.inspect('with secrets'))
  })

  it('every prefix of one, and one byte more, is refused', () => {
    for (const bytes of states) {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decode(SessionState, bytes.subarray(0, length))).toThrow(DecodeError)
      }
      expect(() => decode(SessionState, Uint8Array.of(...bytes, 0))).toThrow('1 bytes too many')
    }
  })

  it('a changed byte is refused or is another state, canonically', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...states),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, change) => {
          const place = at % bytes.length
          const changed = bytes.with(place, bytes[place]! ^ change)
          let state: SessionState
          try {
            state = decode(SessionState, changed)
          } catch (error) {
            expect((error as Error).name).toBe('DecodeError')
            return
          }
          expect(hex(encode(SessionState, state))).toBe(hex(changed))
        },
      ),
      { numRuns: often(300) },
    )
  })
})

function* pieces(step: Step, cuts: Iterator<number>): Generator<Step> {
  if (step.bytes === undefined) {
    yield step
    return
  }
  for (let at = 0; at < step.bytes.length; ) {
    const length = cuts.next().value as number
    // an empty piece is a piece, too
    yield { bytes: step.bytes.slice(at, at + length) }
    at += length
  }
}

function liveThrough(session: Session, step: Step) {
  const events = perform(session, step)
  outputOf(session)
  return events
}

/**
 * Whatever has happened: the state can be written down and comes back the same, and secrets stay out of the
 * other copy.
 */
function expectSound(session: Session): void {
  const state = session.inspect('with secrets')
  const bytes = encode(SessionState, state)
  expect(decode(SessionState, bytes)).toEqual(state)
  expect(state.inboundRecords.length).toBe(session.buffered)
  if (session.closed && state.handshake.state === 'CLOSED') expect(session.buffered).toBe(0)
}
