import { describe, expect, it } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import type { Session } from '../../src/tls13/index.ts'
import { concat, hex } from '../../src/wire/index.ts'
import { describeEvent } from '../support/conversation.ts'
import { below, type Seeded, seeded } from '../support/random.ts'
import { mutate } from './mutation.ts'
import { realHellos, type Target, targets } from './target.ts'

/**
 * Whatever a peer sends, also one that holds the keys: it is answered with an alert or with events, nothing
 * is thrown, memory stays bounded, and it does not matter how the bytes were cut. `HOTPOTATO_LONG=1` tries
 * fifty times as much.
 */
const RUNS = process.env.HOTPOTATO_LONG === '1' ? 6700 : 130
const SEED = Number(process.env.HOTPOTATO_SEED ?? 20_261_121)
/** Bytes that a session may hold on to of what it was sent: a message of the largest size, and a record. */
const MEMORY = 2 ** 16 + 2 ** 15
const PATIENCE = 600_000

const hellos = realHellos()

describe.each(targets())('$name', target => {
  it(
    `survives ${RUNS} changed inputs`,
    () => {
      let refused = 0
      for (let run = 0; run < RUNS; run++) {
        const seed = SEED + run
        const input = makeInput(target, seeded(seed))
        try {
          if (tryInput(target, input, seed)) refused++
        } catch (error) {
          const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
          throw new Error(`HOTPOTATO_SEED=${seed}, input ${hex(input)}\n${what}`)
        }
      }
      // a fuzzer that changes nothing would find nothing
      expect(refused).toBeGreaterThan(RUNS / 10)
    },
    PATIENCE,
  )
})

/** A few records, of which at least one has been changed inside or outside of its protection. */
function makeInput({ contents, writer }: Target, random: Seeded): Uint8Array {
  const write = writer()
  const other = () => contents[below(random, contents.length)]?.content ?? hellos[0]!
  const records: Uint8Array[] = []
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const chosen = contents[below(random, contents.length)] ?? {
      type: ContentType.handshake,
      content: other(),
    }
    const type = below(random, 20) === 0 ? 20 + below(random, 5) : chosen.type
    const content = below(random, 4) === 0 ? chosen.content : mutate(chosen.content, other(), random)
    // in two records, now and then
    const cut = below(random, 3) === 0 ? below(random, content.length + 1) : content.length
    for (const piece of [content.subarray(0, cut), content.subarray(cut)]) {
      if (piece.length > 0 || (cut === content.length && content.length === 0)) {
        for (let at = 0; at < Math.max(1, piece.length); at += 16_000) {
          records.push(write(type, piece.subarray(at, at + 16_000)))
        }
      }
    }
  }
  const whole = concat(...records)
  return below(random, 3) === 0 ? mutate(whole, hellos[below(random, hellos.length)]!, random) : whole
}

/** @returns whether it was answered with an alert */
function tryInput(target: Target, input: Uint8Array, seed: number): boolean {
  const whole = target.session(seed)
  const events = whole.receive(input)
  check(whole, input)
  const output = hex(concat(...whole.takeOutput()))

  const pieces = target.session(seed)
  const heard = []
  const random = seeded(seed)
  for (let at = 0; at < input.length; ) {
    const end = at + 1 + below(random, 300)
    heard.push(...pieces.receive(input.slice(at, end)))
    check(pieces, input)
    at = end
  }
  expect(heard.map(describeEvent)).toEqual(events.map(describeEvent))
  expect(hex(concat(...pieces.takeOutput()))).toBe(output)

  const alert = events.findIndex(event => event.type === 'alert')
  if (alert < 0) return false
  expect(alert).toBe(events.length - 1) // nothing follows an error
  expect(whole.closed).toBe(true)
  expect(whole.receive(input)).toEqual([])
  return true
}

function check(session: Session, input: Uint8Array): void {
  const { inboundRecords, inboundHandshake } = session.inspect()
  expect(inboundRecords.length + inboundHandshake.length).toBeLessThanOrEqual(Math.min(MEMORY, input.length))
}
