import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogFile, type LogLimits } from '../../src/supervisor/log-file.ts'
import { HandClock } from '../support/hand-clock.ts'
import { eventually } from '../support/platform.ts'

let directory: string
let path: string
let troubles: string[]
let log: LogFile
let clock: HandClock
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-log-'))
  path = join(directory, 'log')
  troubles = []
  clock = new HandClock()
})
afterEach(async () => {
  await log.close()
  rmSync(directory, { recursive: true })
})

function open(limits: LogLimits = { maxBytes: 10_000, files: 3 }): void {
  log = new LogFile({ ...limits, path, clock, onTrouble: text => troubles.push(text) })
}
const content = (name = ''): string => readFileSync(path + name, 'utf8')
const written = (end: string): Promise<true> =>
  eventually(() => (existsSync(path) && content().endsWith(end) ? true : undefined), `not written: ${end}`)

describe('a log file', () => {
  it('has what was written, in order, once it is closed', async () => {
    open()
    const lines = Array.from({ length: 100 }, (_, number) => `line ${number}\n`)
    for (const line of lines) log.write(line)
    await log.close()
    expect(content()).toBe(lines.join(''))
    expect(troubles).toEqual([])
  })

  it('begins a new file where one has its size, and keeps as many as it may', async () => {
    open({ maxBytes: 1000, files: 3 })
    for (let number = 0; number < 50; number++) {
      log.write(`${String(number).padStart(3, '0')}${'x'.repeat(96)}\n`)
      if (number % 7 === 0) await log.close()
    }
    await log.close()
    expect(content() + content('.1') + content('.2')).toHaveLength(3000)
    expect((content('.2') + content('.1') + content()).match(/^\d+/gm)).toEqual(
      Array.from({ length: 30 }, (_, at) => String(20 + at).padStart(3, '0')),
    )
    expect(existsSync(`${path}.3`)).toBe(false)
  })

  it('with one file begins it anew', async () => {
    open({ maxBytes: 1000, files: 1 })
    for (let number = 0; number < 15; number++) log.write(`${'x'.repeat(99)}\n`)
    await log.close()
    expect(content()).toHaveLength(500)
    expect(existsSync(`${path}.1`)).toBe(false)
  })

  it('drops what a full disk does not take, says so once, and how much when there is room', async () => {
    symlinkSync('/dev/full', path)
    open()
    log.write('lost\n')
    log.write('lost\n')
    await eventually(() => (troubles.length > 0 ? true : undefined), 'it was not told')
    log.write('lost\n')
    await log.close()
    rmSync(path)
    log.write('kept\n')
    await written('kept\n')
    const [dropped, kept] = content().split('\n')
    expect(JSON.parse(dropped!)).toMatchObject({
      level: 40,
      name: 'supervisor',
      dropped: 3,
      msg: '3 lines of the log were dropped (ENOSPC)',
    })
    expect(kept).toBe('kept')
    expect(troubles).toEqual([
      `the log ${path} cannot be written (ENOSPC): its lines are dropped, and counted`,
    ])
  })

  it('does not wait for the reader of a pipe', async () => {
    expect(spawnSync('mkfifo', [path]).status).toBe(0)
    open()
    log.write('lost\n')
    await log.close()
    expect(troubles[0]).toContain('ENXIO')
  })

  it('keeps a bounded number of lines that come faster than they are written', async () => {
    open({ maxBytes: 100_000_000, files: 1 })
    const line = `${'x'.repeat(999_999)}\n`
    for (let count = 0; count < 10; count++) log.write(line)
    await log.close()
    log.write('after\n')
    await written('after\n')
    const lines = content().split('\n')
    expect(lines.filter(one => one.startsWith('xxx'))).toHaveLength(4)
    expect(lines.filter(one => one.includes('"dropped":6'))).toHaveLength(1)
    expect(troubles).toEqual([])
  })

  it('opens a new file when another program has moved it away, or removed it', async () => {
    open()
    log.write('one\n')
    await written('one\n')
    renameSync(path, `${path}.old`)
    clock.pass(1001)
    log.write('two\n')
    await written('two\n')
    expect(content()).toBe('two\n')
    expect(content('.old')).toBe('one\n')
  })

  it('keeps what was logged in the last moment of a process', () => {
    open()
    const module = (name: string) => new URL(`../../dist/src/${name}.js`, import.meta.url).href
    const program = `
      const { LogFile } = await import(${JSON.stringify(module('supervisor/log-file'))})
      const { SYSTEM_CLOCK } = await import(${JSON.stringify(module('time/system-clock'))})
      const limits = { maxBytes: 1e6, files: 1 }
      const path = ${JSON.stringify(path)}
      const log = new LogFile({ ...limits, path, clock: SYSTEM_CLOCK, onTrouble() {} })
      log.write('last words\\n')
      throw new Error('boom')`
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', program]).status).toBe(1)
    expect(content()).toBe('last words\n')
  })

  it.skipIf(process.getuid?.() === 0)('drops what it may not write', async () => {
    chmodSync(directory, 0o500)
    open()
    log.write('lost\n')
    await log.close()
    chmodSync(directory, 0o700)
    expect(troubles[0]).toContain('EACCES')
  })
})
