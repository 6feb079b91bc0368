import { expect, it } from 'vitest'
import { Questions } from '../../src/supervisor/questions.ts'
import { decodeControl, encodeControl } from '../../src/transfer/control.ts'
import { HandClock } from '../support/hand-clock.ts'

/*
 * What the supervisor asks its processes: answers outlive the messages that they came in.
 */

const sessionId = new Uint8Array(16).fill(9)

it('what a container tells of a session stays as it was when the next message has its place', async () => {
  const questions = new Questions(new HandClock(), () => {})
  const told = questions.reveal(1, sessionId, 2)
  const [state, envelope] = [new Uint8Array(700).fill(1), new Uint8Array(900).fill(2)]
  const report = { outcome: 'moved', generation: 3, detail: '', refused: false } as const
  const message = encodeControl({ kind: 'revealed', sessionId, ...report, state, envelope })
  const answer = decodeControl(message)
  if (answer.kind !== 'revealed') throw new Error(answer.kind)
  questions.answered(1, answer)
  message.fill(0x74)
  expect(await told).toMatchObject({ ...report, state, envelope })
})

it('what is not told stays untold', async () => {
  const questions = new Questions(new HandClock(), () => {})
  const told = questions.reveal(1, sessionId)
  const report = { outcome: 'kept', generation: 0, detail: '', refused: true } as const
  questions.answered(1, { kind: 'revealed', sessionId, ...report, state: undefined, envelope: undefined })
  expect(await told).toEqual({ kind: 'revealed', sessionId, ...report })
})
