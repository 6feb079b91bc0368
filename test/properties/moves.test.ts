import { describe, expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import type { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, encode, hex } from '../../src/wire/index.ts'
import {
  describeEvent,
  KINDS,
  perform,
  type Recording,
  record,
  SEED,
  type Step,
} from '../support/conversation.ts'
import { outputOf, recordsOf } from '../support/pair.ts'
import { seeded } from '../support/random.ts'

/*
 * The master property: wherever a conversation is interrupted by release → encode → decode → restore, into
 * whichever provider, what follows is byte for byte what would have followed.
 */

/**
 * One byte index in so many is tried, within a provider and between two, and within one all around the
 * records' ends; 1 tries every one. The test that moves to and fro stops at every byte in any case.
 */
const EVERY_BYTE = process.env.HOTPOTATO_EVERY_BYTE === '1'
const STRIDE = { within: EVERY_BYTE ? 1 : 160, between: EVERY_BYTE ? 1 : 800 }

/** Milliseconds: thousands of conversations, on a machine that may be busy with others. */
const PATIENCE = 240_000

const DIRECTIONS: readonly {
  readonly from: CryptoProvider
  readonly to: CryptoProvider
  readonly stride: number
}[] = [
  { from: node, to: node, stride: STRIDE.within },
  { from: node, to: noble, stride: STRIDE.between },
  { from: noble, to: node, stride: STRIDE.between },
]

describe.each(KINDS)('$name', kind => {
  const recordings = record(kind)

  describe.each([recordings.client, recordings.server])('the $role', recording => {
    it.each(DIRECTIONS)(
      'moves from $from.name to $to.name without a trace, at any byte',
      ({ from, to, stride }) => {
        const tried = moveEverywhere(recording, from, to, stride)
        const bytes = recording.steps.reduce((sum, step) => sum + (step.bytes?.length ?? 0), 0)
        // a loop that forgot to move would pass everything
        expect(tried).toBeGreaterThan(bytes / stride)
      },
      PATIENCE,
    )

    it('moves at every byte, to and fro between providers', () => {
      const random = seeded(SEED[recording.role])
      let session = recording.start(node, random)
      let turn = 0
      const hop = (): void => {
        const provider = turn++ % 2 === 0 ? noble : node
        // keyed AEADs of the slow provider are only built where they are used
        session = recording.restore(moved(session), provider, random)
      }
      const events: string[] = []
      recording.steps.forEach((step, index) => {
        hop()
        if (step.bytes === undefined) events.push(...perform(session, step).map(describeEvent))
        for (const byte of step.bytes ?? []) {
          events.push(...perform(session, { bytes: Uint8Array.of(byte) }).map(describeEvent))
          hop()
        }
        expect([index, hex(outputOf(session))]).toEqual([index, recording.outputs[index]])
      })
      expect(events).toEqual(recording.events)
      expect(hex(encode(SessionState, session.inspect('with secrets')))).toBe(recording.end)
    })
  })
})

/** A session's state after a journey as bytes. */
function moved(session: Session): SessionState {
  return decode(SessionState, encode(SessionState, session.release()))
}

/**
 * Walks through a conversation byte by byte. At each place that is tried, a copy goes on in the other
 * provider, to the end.
 * @returns how many copies were tried
 */
function moveEverywhere(
  recording: Recording,
  from: CryptoProvider,
  to: CryptoProvider,
  stride: number,
): number {
  const { steps, role, start, restore } = recording
  const random = seeded(SEED[role])
  let session = start(from, random)
  let tried = 0
  let index = 0
  const before: string[] = []

  const tryMove = (step: number, rest: Step): void => {
    const bytes = encode(SessionState, session.release())
    session = restore(decode(SessionState, bytes), from, random)
    const copy = restore(decode(SessionState, bytes), to, random.fork())
    goOn(recording, copy, step, rest, before)
    tried++
  }

  steps.forEach((step, number) => {
    if (step.bytes === undefined) {
      tryMove(number, step)
      before.push(...perform(session, step).map(describeEvent))
      // it may have gone on with what had come before
      tryMove(number, { bytes: new Uint8Array(0) })
    } else {
      const { bytes } = step
      const near = from === to ? nearRecordEnds(bytes) : NOWHERE
      for (let at = 0; at < bytes.length; at++, index++) {
        if (index % stride === 0 || near.has(at)) tryMove(number, { bytes: bytes.subarray(at) })
        before.push(...perform(session, { bytes: bytes.slice(at, at + 1) }).map(describeEvent))
      }
      // everything is in, and what it made us say has not been taken yet
      tryMove(number, { bytes: new Uint8Array(0) })
    }
    expect(hex(outputOf(session))).toBe(recording.outputs[number])
  })
  expect(before).toEqual(recording.events)
  return tried
}

const NOWHERE: ReadonlySet<number> = new Set()

/** Lets a copy live through the rest of a conversation, and holds it against the recording. */
function goOn(
  { steps, outputs, events, end }: Recording,
  copy: Session,
  from: number,
  rest: Step,
  before: readonly string[],
): void {
  const heard = [...before]
  let said = ''
  for (let number = from; number < steps.length; number++) {
    heard.push(...perform(copy, number === from ? rest : steps[number]!).map(describeEvent))
    said += `${hex(outputOf(copy))}\n`
  }
  // one comparison each: expect() is slow
  if (
    said !==
    outputs
      .slice(from)
      .map(output => `${output}\n`)
      .join('')
  ) {
    expect(said.split('\n').slice(0, -1)).toEqual(outputs.slice(from))
  }
  if (heard.join() !== events.join()) expect(heard).toEqual(events)
  const last = hex(encode(SessionState, copy.inspect('with secrets')))
  if (last !== end) expect(last).toBe(end)
}

/** The places at a record's end, and those right before and behind. */
function nearRecordEnds(bytes: Uint8Array): Set<number> {
  const places = new Set<number>()
  let at = 0
  for (const record of recordsOf(concat(bytes))) {
    at += record.length
    for (const near of [at - 1, at, at + 1]) places.add(near)
  }
  return places
}
