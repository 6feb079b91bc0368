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

it('an asynchronous call is refused where no process keeps such calls', () => {
  const off = { ...callee(), functionNames: new Set(['app', 'other']) }
  // Whatever it names: a slip in a name is no request for the function of the host.
  for (const path of ['/async-function/other/x', '/async-function/unknown', '/async-function/']) {
    const refused = ownAnswer(path, off)!
    expect([refused.status, text(refused.body)]).toEqual([501, expect.stringContaining('queue.enabled')])
  }
  // A path of the function itself; and a platform that keeps them.
  expect(
    ownAnswer('/async-function/other', off, { path: '/app/async-function/other', host: undefined }),
  ).toBeUndefined()
  const on = { ...callee(), functionNames: new Set(['app', 'async-function']) }
  expect(ownAnswer('/async-function/app', on)).toBeUndefined()
})
