import { expect, it } from 'vitest'
import { ownAnswer } from '../../../src/containers/protocol/own-answers.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'

const callee = (ready?: () => boolean) => {
  const module = { kind: 'raw', file: 'x', handle: () => ({ status: 200 }), ready } as FunctionModule
  return { functionName: 'app', module }
}
const text = (body: unknown): string => new TextDecoder().decode(body as Uint8Array)

it('a container is ready as its function is, and lives all the same', () => {
  expect(ownAnswer('/_/ready', callee())).toMatchObject({ status: 200 })
  expect(
    ownAnswer(
      '/_/ready',
      callee(() => true),
    ),
  ).toMatchObject({ status: 200 })
  const waiting = ownAnswer(
    '/_/ready',
    callee(() => false),
  )!
  expect([waiting.status, text(waiting.body)]).toEqual([503, expect.stringContaining('is not running')])
  expect(
    ownAnswer(
      '/_/health',
      callee(() => false),
    ),
  ).toMatchObject({ status: 200 })
  expect(
    ownAnswer(
      '/',
      callee(() => false),
    ),
  ).toBeUndefined()
})
