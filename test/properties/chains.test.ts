import { describe, expect, it } from 'vitest'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, EMPTY, encode, hex } from '../../src/wire/index.ts'
import {
  describeEvent,
  KINDS,
  perform,
  type Recording,
  record,
  SEED,
  type Step,
} from '../support/conversation.ts'
import { LONG } from '../support/long.ts'
import { outputOf } from '../support/pair.ts'
import { below, type Seeded, seeded } from '../support/random.ts'
import {
  anyProvider,
  expected,
  Http1Speaker,
  Http2Speaker,
  Journey,
  pick,
  pieces,
  type Speaker,
} from './journey.ts'

/*
 * The master property at random: conversations whose bytes are cut anywhere, and whose owners change again
 * and again, from any provider to any other, lose no byte and double none. `moves.test.ts` tries every single
 * byte, each with one move; here moves come in chains. `HOTPOTATO_LONG=1` goes on until 100,000 moves are
 * made.
 */
/** Moves to be made in each of the three; those of HTTP's clients come on top. */
const MOVES = LONG
  ? { sessions: 50_000, http1: 25_000, http2: 25_000 }
  : { sessions: 200, http1: 150, http2: 150 }
const RUN = Number(process.env.HOTPOTATO_CHAINS_SEED ?? 1)
const PATIENCE = LONG ? 1_800_000 : 240_000

describe(`chains of moves, seed ${RUN}`, () => {
  it('of TLS sessions, both roles', { timeout: PATIENCE }, () => {
    const recordings = KINDS.map(kind => record(kind))
    let moves = 0
    for (let seed = RUN; moves < MOVES.sessions; seed++) {
      const random = seeded(seed)
      const { client, server } = pick(random, recordings)
      moves += chain(pick(random, [client, server]), random, `seed ${seed}`)
    }
    expect(moves).toBeGreaterThanOrEqual(MOVES.sessions)
  })

  it.each([
    ['HTTP/1.1', MOVES.http1, (random: Seeded) => new Http1Speaker(random)] as const,
    ['HTTP/2', MOVES.http2, (random: Seeded) => new Http2Speaker(random)] as const,
  ])('of %s connections, and of their clients', { timeout: PATIENCE }, async (_, most, speak) => {
    let moves = 0
    for (let seed = RUN; moves < most; seed++) moves += await converse(seed, speak)
    expect(moves).toBeGreaterThanOrEqual(most)
  })
})

/** Lets a session live through a recording in pieces, with moves between them. @returns how many */
function chain(
  { role, steps, start, restore, outputs, events, end }: Recording,
  random: Seeded,
  name: string,
): number {
  const own = seeded(SEED[role])
  let session = start(anyProvider(random), own)
  let moves = 0
  const heard: string[] = []
  const move = (): void => {
    for (let hops = below(random, 3); hops > 0; hops--) {
      session = restore(
        decode(SessionState, encode(SessionState, session.release())),
        anyProvider(random),
        own,
      )
      moves++
    }
  }
  const live = (step: Step): void => void heard.push(...perform(session, step).map(describeEvent))
  steps.forEach((step, index) => {
    move()
    for (const bytes of pieces(step.bytes ?? EMPTY, random)) {
      live({ bytes })
      move()
    }
    if (step.bytes === undefined) live(step)
    const said = hex(outputOf(session))
    if (said !== outputs[index]) expect([name, index, said]).toEqual([name, index, outputs[index]])
  })
  if (heard.join() !== events.join()) expect([name, ...heard]).toEqual([name, ...events])
  expect([name, hex(encode(SessionState, session.inspect('with secrets')))]).toEqual([name, end])
  return moves
}

/** Lets a connection and its client live through requests, with moves between them. @returns how many */
async function converse(seed: number, speak: (random: Seeded) => Speaker): Promise<number> {
  const random = seeded(seed)
  const speaker = speak(random)
  const journey = new Journey(random, speaker)
  await journey.travel(3 + below(random, 12)).catch((error: Error) => {
    throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
  })
  for (const asked of speaker.asked) {
    const { target, status, answer } = asked
    // A refused move of a request for another function is answered without a beginning; everything else once.
    const begun = journey.begun.get(target) ?? 0
    if (!asked.ended && speaker.over) {
      expect([seed, target, begun]).toEqual([seed, target, 0])
      continue
    }
    if (status !== 503 || begun !== 0)
      expect([seed, target, status, begun, asked.ended]).toEqual([seed, target, 200, 1, true])
    else if (journey.refusals === 0) throw new Error(`seed ${seed}: no container has refused ${target}`)
    const right = status === 503 || Buffer.compare(concat(...answer), expected(asked)) === 0
    if (!right) expect([seed, target, hex(concat(...answer))]).toEqual([seed, target, hex(expected(asked))])
  }
  expect([seed, journey.wrong]).toEqual([seed, []])
  return journey.moves
}
