import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Store } from '../../src/queue/store.ts'
import { call } from '../support/calls.ts'

/* A disk of 1 MiB that is full. */

let directory: string
/** Why there is none; empty: there is. */
let missing = 'not tried'
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-full-'))
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], {
    encoding: 'utf8',
  })
  missing = status === 0 ? '' : `mount: ${stderr}`
})
afterAll(() => {
  if (missing === '') spawnSync('umount', [directory])
  rmdirSync(directory)
})

it('a call that does not fit is refused, and leaves nothing in the way of one that does', async context => {
  if (missing !== '') return context.skip(`a file system of its own can be mounted by root: ${missing}`)
  const store = new Store(directory)
  await store.open()
  await store.put(call({ id: 'first', body: new Uint8Array(600_000) }))
  const before = readdirSync(store.folder('calls'))
  for (let i = 0; i < 3; i++)
    await expect(store.put(call({ id: `${i}`, body: new Uint8Array(600_000) }))).rejects.toThrow(/ENOSPC/)
  expect(readdirSync(store.folder('calls'))).toEqual(before)
  await store.put(call({ id: 'small', body: new Uint8Array(100_000) }))
  await store.remove('first')
  await store.put(call({ id: 'second', body: new Uint8Array(600_000) }))
  expect(store.names('calls')).toHaveLength(2)
})
