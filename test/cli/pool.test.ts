import { describe, expect, it } from 'vitest'
import { lifeCycleText, poolOf, poolText } from '../../src/cli/platform/pool.ts'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { Diary } from '../../src/supervisor/diary.ts'
import { LIFE_CYCLE } from '../../src/supervisor/life-cycle.ts'
import { HandClock } from '../support/hand-clock.ts'

const member = {
  name: 'files-1',
  role: 'container',
  functionName: 'files',
  state: 'backing-off',
  ready: false,
  id: undefined,
  pid: undefined,
  age: undefined,
  restarts: 1,
  counters: {},
} as const
const step = { from: 'ready', event: 'end', to: 'backing-off', how: 'SIGKILL', delay: 1500 } as const
const of = (functionName: string) => ({ number: 1, at: 0, name: `${functionName}-1`, functionName, ...step })
const status = {
  pid: 1,
  ports: undefined,
  functions: [
    {
      ...{ name: 'files', min: 1, max: 4, replicas: 1, ready: 0, asleep: false },
      ...{ connections: 0, rooted: 0, hibernating: 0 },
    },
  ],
  members: [member, { ...member, name: 'echo-1', functionName: 'echo' }],
  changes: [of('files'), of('echo')],
} as PlatformStatus

describe('the status of one function', () => {
  it('has its containers, its states and its changes, and no others', () => {
    const text = poolText(poolOf(status, 'files'))
    expect(text).toContain('files: 0 of 1 ready, 1 to 4 allowed, 0 connections')
    expect(text).toContain('00:00:00.000  files-1  ready → backing-off  end (SIGKILL) again in 1.5s')
    expect(text).not.toContain('echo')
  })

  it('names what is meant where there is no such function', () => {
    expect(() => poolOf(status, 'flies')).toThrow('there is no function flies; did you mean files?')
  })

  it('shows each state of the table, and each way out of it', () => {
    const lines = lifeCycleText(['ready', 'ready']).split('\n').slice(1)
    expect(lines.map(line => line.split(' ')[0])).toEqual(Object.keys(LIFE_CYCLE))
    for (const [at, events] of Object.values(LIFE_CYCLE).entries())
      for (const [event, to] of Object.entries(events)) expect(lines[at]).toContain(`${event} → ${to}`)
    expect(lines.find(line => line.startsWith('ready'))).toMatch(/^ready +2 /)
  })
})

describe('the diary', () => {
  it('keeps the newest, and goes on counting', () => {
    const diary = new Diary(new HandClock())
    for (let i = 0; i < 300; i++) diary.note(`a-${i}`, 'a', step)
    expect(diary.changes).toHaveLength(256)
    expect(diary.changes.at(-1)).toMatchObject({ number: 300, name: 'a-299' })
  })
})
