import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { own } from '../../src/queue/ownership.ts'
import { HandClock } from '../support/hand-clock.ts'

it('owns a directory by nothing that another user can see or take, and once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-owner-'))
  // As a kill has left it in an earlier version: all such directories had one name.
  writeFileSync(join(directory, 'owner'), '')
  const clock = new HandClock()
  await own(directory, clock)
  expect(readFileSync('/proc/net/unix', 'latin1')).not.toContain('@hotpotato-queue-')
  let owned = false
  void own(directory, clock).then(() => {
    owned = true
  })
  while (clock.waiting === 0) await new Promise(resolve => setImmediate(resolve))
  expect(owned).toBe(false)
  rmSync(directory, { recursive: true })
})
