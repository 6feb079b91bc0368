import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Store } from '../../src/queue/store.ts'

/*
 * A real process that is really killed, at each thing that it does to the disk in turn: no call is lost of
 * which it has said that it is kept. `npm run test:long` kills at every step; steps.test.ts ends at each
 * without a process.
 */

const LONG = process.env.HOTPOTATO_LONG !== undefined
const KEEPER = fileURLToPath(new URL('./children/keeper.mjs', import.meta.url))
/** More than there are. */
const NEVER = 1_000_000

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-queue-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Lets a process work until it is done, or killed at that step. @returns what it has said */
function keeper(run: number, step: number): Promise<{ said: string[]; killed: boolean }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [KEEPER, directory, String(run), String(step)], (error, stdout, stderr) => {
      const killed = error?.signal === 'SIGKILL'
      if (error !== null && !killed) reject(new Error(stderr))
      else resolve({ said: stdout.split('\n').filter(line => line !== ''), killed })
    })
  })
}

it('loses no call that was kept when it is killed at any step, and ends each', {
  timeout: 600_000,
}, async () => {
  const kept: string[] = []
  const cancelled: string[] = []
  let kills = 0
  for (let run = 0, step = 1; ; run++) {
    const { said, killed } = await keeper(run, step)
    const [others, ids] = [said.filter(line => line.includes(' ')), said.filter(line => /^\d/.test(line))]
    kept.push(...ids)
    cancelled.push(...others.map(line => line.split(' ')[1]!))
    if (!killed) break
    kills++
    // The steps of all that was left are done first: each run is longer than the one before.
    step += LONG ? 1 : 13
    if (!LONG && kills === 4) step = NEVER
  }
  const made = new Set(readFileSync(join(directory, 'made'), 'utf8').split('\n'))
  expect(kept.filter(id => !made.has(id))).toEqual([])
  // A callback hears of its call under the same id, also if the process died between answer and callback.
  const told = new Set(readFileSync(join(directory, 'told'), 'utf8').split('\n'))
  const answers = kept.filter(id => id.includes('told'))
  expect(answers.filter(id => !told.has(`${id} ${id.endsWith('dead') ? 504 : 200}`))).toEqual([])
  expect(answers.length).toBeGreaterThan(1)
  const store = new Store(directory)
  expect(readdirSync(store.folder('calls'))).toEqual([])
  const dead: string[] = []
  for await (const record of store.all('dead', () => {})) dead.push(record.id)
  // What was taken away is not called, and what was sent anew has died again.
  expect(cancelled.length).toBeGreaterThan(0)
  expect(cancelled.filter(id => made.has(id))).toEqual([])
  expect(kept.filter(id => id.endsWith('dead') && !dead.includes(id))).toEqual([])
  expect(kept.length).toBeGreaterThan(2)
  expect(kills).toBeGreaterThan(LONG ? 30 : 3)
})
