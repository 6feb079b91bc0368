import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nameOf, Store } from '../../src/queue/store.ts'
import { call } from '../support/calls.ts'
import { hotpotato, makeDirectory } from '../support/platform.ts'

/* Commands about calls on a disk where no platform runs. */

let directory: string
let store: Store
beforeAll(async () => {
  directory = await makeDirectory('', [])
  writeFileSync(join(directory, 'hotpotato.yml'), 'version: 1\nfunctions: { echo: {} }\n')
  store = new Store(join(directory, 'run', 'queue'))
  await store.open()
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it('a dead letter is not sent over a call of its id that waits, and both are seen', async () => {
  for (const acceptedAt of [1, 2]) {
    await store.put(call({ acceptedAt }))
    await store.bury(call({ acceptedAt, phase: 'dead', reason: `no ${acceptedAt}` }))
  }
  await store.put(call({ acceptedAt: 3 }))
  const replayed = await hotpotato(directory, ['queue', 'replay', 'a'])
  expect([replayed.code, replayed.stderr.trim().split('\n')]).toEqual([
    1,
    [expect.stringMatching(/^a call with the id a waits already: a dead letter .* is kept/)],
  ])
  expect((await store.get('calls', nameOf('a')))?.acceptedAt).toBe(3)
  const list = JSON.parse((await hotpotato(directory, ['queue', 'list', '--json'])).stdout)
  expect(list.map(({ shelf, reason }: Record<string, string>) => [shelf, reason])).toEqual([
    ['dead', 'no 1'],
    ['dead', 'no 2'],
    ['calls', ''],
  ])
  expect((await hotpotato(directory, ['queue', 'remove', 'a'])).code).toBe(0)
  expect([store.names('calls'), store.names('dead')]).toEqual([[], []])
})
