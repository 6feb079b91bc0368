import { expect, it } from 'vitest'
import { Notices } from '../../src/cli/up/notices.ts'

let now = 0
function notices(running = true) {
  const told: string[] = []
  const seen = new Notices(
    text => told.push(text),
    () => now,
  )
  seen.running = running
  const see = (level: number, name: string, msg: string, more = {}): void =>
    seen.see(`${JSON.stringify({ level, time: 1, pid: 1, name, ...more, msg })}\n`)
  return { told, see, seen }
}

it('says warnings and errors, whose they are and why, and no news', () => {
  const { told, see, seen } = notices()
  see(30, 'supervisor', 'starting')
  see(40, 'supervisor', 'echo-1 ended; it is being restarted', { how: 'SIGKILL', delay: 7 })
  see(50, 'echo-1', 'the function failed', { err: { message: 'boom\nat once' } })
  seen.see('no entry of the log\n')
  expect(told).toEqual([
    'echo-1 ended; it is being restarted (SIGKILL)',
    'echo-1: the function failed (boom)',
  ])
})

it('leaves what functions print to the log', () => {
  const { told, see } = notices()
  see(40, 'echo-1', 'a line of its own', { stream: 'stderr' })
  expect(told).toEqual([])
})

it('says before all runs what is tried again, and not what ends the start', () => {
  const { told, see } = notices(false)
  see(50, 'supervisor', 'gateway cannot start: it has no port', { broken: false })
  see(60, 'echo-1', 'cannot start', { err: { message: 'no module' } })
  see(50, 'supervisor', 'echo-1 cannot start: it has no module', { broken: true })
  see(40, 'supervisor', 'echo-1 ended; it is being restarted', { how: 'exit code 1', failure: 'no module' })
  see(40, 'supervisor', 'hello-1 ended; it is being restarted', { how: 'exit code 3' })
  expect(told).toEqual([
    'echo-1 cannot start: it has no module',
    'hello-1 ended; it is being restarted (exit code 3)',
  ])
})

it('says the same once a minute', () => {
  const { told, see } = notices()
  for (let second = 0; second < 120; second++, now += 1000) see(40, 'supervisor', 'again')
  expect(told).toEqual(['again', 'again'])
})

it('says few of many, and how many it has left out', () => {
  const { told, see } = notices()
  for (let i = 0; i < 100; i++) see(50, 'echo-1', `error ${i}`)
  expect(told).toHaveLength(10)
  now += 6000
  see(50, 'echo-1', 'one more')
  expect(told.slice(10)).toEqual(['echo-1: one more (and 90 other notices, in the log)'])
  now += 3_600_000
  for (let i = 0; i < 100; i++) see(50, 'echo-1', `error ${i}`)
  expect(told).toHaveLength(21)
})
