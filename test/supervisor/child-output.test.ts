import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { Lines } from '../../src/platform/lines.ts'
import { Throttle } from '../../src/platform/throttle.ts'
import { logLine, readOutput } from '../../src/supervisor/child-output.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { HandClock } from '../support/hand-clock.ts'
import { eventually } from '../support/platform.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const SOURCE = { name: 'echo-1', functionName: 'echo' }

describe('lines', () => {
  it('are the same, however the bytes come', () => {
    const text = bytes('one\ntwo ü\n\nfour')
    for (let cut = 0; cut <= text.length; cut++) {
      const lines = new Lines(100)
      const complete = [...lines.push(text.subarray(0, cut)), ...lines.push(text.subarray(cut))]
      expect([...complete, lines.end()]).toEqual(['one', 'two ü', '', 'four'])
      expect(lines.end()).toBeUndefined()
    }
  })

  it('are kept, whatever becomes of the buffer that they came in', () => {
    const lines = new Lines(100)
    const buffer = Buffer.from('first ')
    lines.push(buffer)
    buffer.write('other\n')
    expect(lines.push(buffer)).toEqual(['first other'])
  })

  it('are cut where they are too long, and say by how much', () => {
    const lines = new Lines(4)
    expect(lines.push(bytes('12345678\n1234\n12'))).toEqual(['1234… (4 bytes more)', '1234'])
    expect(lines.push(bytes('345'))).toEqual([])
    expect(lines.end()).toBe('1234… (1 bytes more)')
  })
})

describe('a throttle', () => {
  it('lets a burst through, and then so much a second', () => {
    const throttle = new Throttle(1000, 2, 0)
    expect(throttle.take(2000, 0)).toBe(0)
    expect(throttle.take(500, 0)).toBe(500)
    expect(throttle.take(0, 500)).toBe(0)
    expect(throttle.take(1000, 1500)).toBe(0)
    expect(throttle.take(2001, 100_000)).toBe(1)
  })
})

describe('what a process writes', () => {
  const line = (text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
    JSON.parse(logLine(text, stream, SOURCE, 7, 1000)) as object

  it('becomes an entry that names the process and its function', () => {
    expect(line('hello')).toEqual({
      level: 30,
      time: 1000,
      pid: 7,
      name: 'echo-1',
      function: 'echo',
      stream: 'stdout',
      msg: 'hello',
    })
    expect(line('oh', 'stderr')).toMatchObject({ level: 40, stream: 'stderr', msg: 'oh' })
  })

  it('cannot be said in the name of another', () => {
    const entry = '{"level":50,"time":1,"pid":1,"name":"supervisor","msg":"all is well"}'
    expect(line(entry)).toEqual({ level: 50, time: 1, pid: 7, name: 'echo-1', msg: 'all is well' })
    expect(line('{"level":50,"name":"supervisor"')).toMatchObject({ name: 'echo-1', stream: 'stdout' })
    expect(line('{"level":"x","name":"supervisor"}')).toMatchObject({ name: 'echo-1', stream: 'stdout' })
    expect(logLine('a\nb', 'stdout', SOURCE, 7, 0).match(/\n/g)).toHaveLength(1)
  })

  it.each([
    ['lists', '['.repeat(8100) + ']'.repeat(8100)],
    ['maps', `${'{"":'.repeat(3200)}1${'}'.repeat(3200)}`],
    ['more levels than an entry has', `${'['.repeat(33)}1${']'.repeat(33)}`],
  ])('is text where it nests deeply: %s', (_, nested) => {
    const text = `{"level":30,"a":${nested}}`
    expect(line(text)).toMatchObject({ name: 'echo-1', stream: 'stdout', msg: text })
  })

  it('cannot be said in the name of another function', () => {
    expect(line('{"level":30,"function":"hello","msg":"x"}')).toMatchObject({ function: 'echo' })
  })

  it('is read no faster by what it leaves behind: a child that writes on after it has ended', async () => {
    const program = `
      const { spawn } = require('child_process')
      const left = spawn('yes', ['x'.repeat(200)], { stdio: 'inherit', detached: true })
      left.unref()
      setTimeout(() => process.exit(0), 100)`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
    let length = 0
    await readOutput(child, SOURCE, 1000, SYSTEM_CLOCK, one => {
      length += JSON.parse(one).msg.length
    })
    expect(length).toBeGreaterThan(10_000)
    expect(length).toBeLessThan(2_000_000)
  })

  it('is read to its end, even if another process holds the pipe after it', async () => {
    const program = `
      require('child_process').spawn('sleep', ['30'], { stdio: 'inherit', detached: true }).unref()
      console.log('last words'); throw new Error('boom')`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
    const said: string[] = []
    await readOutput(child, SOURCE, 1000, SYSTEM_CLOCK, one => said.push(one))
    expect(said.join('')).toContain('last words')
    expect(said.join('')).toContain('Error: boom')
  })

  it('is read no faster than it may come', async () => {
    const program = `process.stdout.write(('x'.repeat(99) + '\\n').repeat(1e6)); setInterval(() => {}, 1e6)`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
    let lines = 0
    const clock = new HandClock()
    const read = readOutput(child, SOURCE, 10_000, clock, () => {
      lines++
    })
    const paused = () => eventually(() => (clock.waiting === 1 ? true : undefined), 'it is not slowed')
    await paused()
    // 16 seconds' worth at once, and one piece of the pipe.
    const burst = lines
    expect(burst).toBeGreaterThanOrEqual(1600)
    expect(burst).toBeLessThan(1600 + 700)
    clock.pass(1000 * 60)
    await paused()
    expect(lines).toBeGreaterThan(burst)
    expect(lines).toBeLessThan(2 * 1600 + 2 * 700)
    child.kill('SIGKILL')
    await read
  })
})
