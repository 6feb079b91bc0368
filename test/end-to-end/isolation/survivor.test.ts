import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, isRunning } from '../../support/platform.ts'
import { Battlefield, lacking, USERS } from './levels.ts'

const UNPRIVILEGED = USERS.at(-1)![1]
const why = lacking('sandbox', UNPRIVILEGED)
const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])

describe.skipIf(why !== '')(`a function that has taken over the first process of its sandbox${why}`, () => {
  let field: Battlefield
  beforeAll(async () => {
    field = await Battlefield.start(['sandbox'], UNPRIVILEGED)
  })
  afterAll(() => field?.stop())

  it('is ended all the same, with all that is in it, and another one takes its place', async () => {
    const { pid, restarts } = await field.platform.member('sandbox-1')
    const first = parentOf(pid!)
    expect(await field.attack('sandbox', 'cling')).toEqual({ taken: 'done' })
    expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
    await field.ruin('sandbox', 'spin')
    const next = await field.platform.until('sandbox-1', one => one.ready && one.restarts > restarts)
    expect(next.lastEnd).toMatch(/it did not respond/)
    await eventually(() => (isRunning(first) ? undefined : true), 'the first process of the sandbox lives on')
    expect(isRunning(pid!)).toBe(false)
    expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
  })
})
