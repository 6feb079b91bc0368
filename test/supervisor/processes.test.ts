import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemberSpec } from '../../src/stack/spec.ts'
import { Processes } from '../../src/supervisor/processes.ts'
import { Replica } from '../../src/supervisor/replica.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { eventually } from '../support/platform.ts'

const { available } = probe()
const RESTART = { first: 1000, most: 1000, healthyAfter: 1000, crashLoop: 5 }

let folder: string
let said: string[]
let ends: string[]
let processes: Processes

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hotpotato-processes-'))
  said = []
  ends = []
  const entry = join(folder, 'waits.mjs')
  writeFileSync(entry, 'console.log("pid", process.pid); setInterval(() => {}, 1000)\n')
  processes = new Processes({
    channel: 'native',
    warmPool: () => ({ count: 1, entry: pathToFileURL(entry), words: [], settings: SETTINGS }),
    output: { sink: line => said.push(line), bytesPerSecond: 1e6 },
    clock: SYSTEM_CLOCK,
    log: pino({ level: 'silent' }),
    onMessage() {},
    onEnded: (_, how) => ends.push(how),
  })
})

afterEach(async () => {
  await processes.stop(0)
  rmSync(folder, { recursive: true, force: true })
})

const SETTINGS = { name: 'warm', channel: 'native', provider: 'node', logLevel: 'info' } as const

/** Waits for the process of the warm pool. @returns its process id */
async function warmed(): Promise<number> {
  processes.warmPool.fill()
  return eventually(async () => {
    const [, pid] = /pid (\d+)/.exec(said.join()) ?? []
    return pid === undefined ? undefined : Number(pid)
  }, 'no process of the warm pool runs')
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.skipIf(!available)(
  `processes${available ? '' : ' (SKIPPED: foreign calls do not work here)'}`,
  () => {
    it('ends a warm one that could not become the container that it was taken for', async () => {
      const pid = await warmed()
      const spec: MemberSpec = {
        name: 'one-1',
        entry: pathToFileURL(join(folder, 'none.mjs')),
        role: 'container',
        settings: { ...SETTINGS, name: 'one-1' },
        secrets: { store: folder, names: ['missing'] },
      }
      processes.start(new Replica(spec, RESTART))
      expect(ends).toEqual([expect.stringMatching(/^it cannot be started: .*missing/)])
      await eventually(async () => (lives(pid) ? undefined : true), 'the warm process lives on')
    })
  },
)
