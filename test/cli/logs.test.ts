import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Follower } from '../../src/cli/logs/follower.ts'
import { prettyLog } from '../../src/cli/logs/pretty.ts'
import { accessLine, isChosen } from '../../src/cli/logs/selection.ts'

describe('a follower', () => {
  let directory: string
  let path: string
  let follower: Follower
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-follow-'))
    path = join(directory, 'log')
  })
  afterEach(() => {
    follower.close()
    rmSync(directory, { recursive: true })
  })

  const look = (): string[] => [...follower.look()]

  it('shows whole lines of the end, and what comes', () => {
    writeFileSync(path, 'first\nsecond\nthi')
    follower = new Follower(path, 10)
    expect(look()).toEqual([])
    appendFileSync(path, 'rd\nfourth\n')
    expect(look()).toEqual(['third', 'fourth'])
    expect(look()).toEqual([])
  })

  it('follows into a new file, and misses nothing when several have come', () => {
    writeFileSync(path, 'one\n')
    follower = new Follower(path, 100)
    expect(look()).toEqual(['one'])
    appendFileSync(path, 'two\n')
    renameSync(path, `${path}.1`)
    expect(look()).toEqual(['two'])
    writeFileSync(path, 'three\n')
    renameSync(`${path}.1`, `${path}.2`)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'four\n')
    renameSync(`${path}.2`, `${path}.3`)
    renameSync(`${path}.1`, `${path}.2`)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'five\n')
    expect(look()).toEqual(['three', 'four', 'five'])
  })

  it('begins anew where the file was cut off', () => {
    writeFileSync(path, 'one\ntwo\n')
    follower = new Follower(path, 100)
    expect(look()).toEqual(['one', 'two'])
    truncateSync(path, 0)
    expect(look()).toEqual([])
    appendFileSync(path, 'new\n')
    expect(look()).toEqual(['new'])
  })

  it('goes on where the file was removed and made anew', () => {
    writeFileSync(path, 'one\n')
    follower = new Follower(path, 100)
    expect(look()).toEqual(['one'])
    rmSync(path)
    expect(look()).toEqual([])
    writeFileSync(path, 'two\n')
    expect(look()).toEqual(['two'])
  })
})

describe('a line of the log, as it is shown', async () => {
  const shown = await prettyLog(false)

  it('is what it was, where it does no harm', () => {
    const err = { type: 'Error', message: 'm', stack: 'Error: m\n    at f' }
    const text = shown(JSON.stringify({ level: 50, time: 0, name: 'echo-1', msg: 'tä\tb', err }))
    expect(text).toContain('ERROR (echo-1): tä\tb\n')
    expect(text).toMatch(/\n +Error: m\n +at f\n/)
  })

  it.each([
    ['a printed text', { msg: '\x1b[2J\x1b]0;owned\x07\r\b\x9b31m\u202e' }],
    ['a name of a field', { '\x1b[2J\n': { '\x9b\r': 1 } }],
    ['a value deep in it', { a: [{ b: '\x1b[2J\x7f' }] }],
    ['a stack', { err: { type: 'Error', message: '\x1b[A', stack: '\x1b[A\r\x9b' } }],
    ['a stack of its own', { type: 'Error', stack: '\x1b[A\r\x9b' }],
    ['what stands for the time', { time: '\x1b[2J', caller: '\x1b[2J' }],
    ['what the printer shows as it came', { constructor: { prototype: '\x9b' } }],
  ])('does not act on the terminal: %s', async (_, fields) => {
    for (const colorize of [false, true]) {
      const text = (await prettyLog(colorize))(JSON.stringify({ level: 30, name: 'bad-1', ...fields }))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
      const own = text.replace(/\x1b\[\d+m/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
      expect(own).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
    }
  })

  it.each(['msg', 'time', 'caller', 'x\nERROR (gateway): it is no more'])(
    'does not look like an entry of another process: %s',
    field => {
      const text = shown(JSON.stringify({ level: 30, [field]: 'x\nERROR (gateway): it is no more' }))
      expect(text).not.toMatch(/^ERROR/m)
    },
  )

  it('is shown as it stands where it is no entry, or none that can be shown', () => {
    expect(shown('no JSON \x1b[2J')).toBe('no JSON \\x1b[2J\n')
    for (const open of ['[', '{"":']) {
      const deep =
        open.repeat(3000) + (open === '[' ? ']' : '1}'.padEnd(3001, '}')).repeat(open === '[' ? 3000 : 1)
      expect(shown(`{"level":30,"a":${deep}}`)).toContain('level')
    }
  })
})

describe('of the entries', () => {
  const entry = (name: string, more: object = {}) => JSON.stringify({ level: 30, time: 5000, name, ...more })
  const all = { name: undefined, since: undefined, access: false }

  it.each([
    ['echo', entry('echo-1'), true],
    ['echo', entry('echo-1', { function: 'echo' }), true],
    ['echo', entry('echo-raw-1'), false],
    ['echo-1', entry('echo-1'), true],
    ['echo-1', entry('echo-10'), false],
    ['gateway', entry('gateway'), true],
    ['echo', 'no entry', false],
  ])('%s has %s: %j', (name, line, chosen) => {
    expect(isChosen(line, { ...all, name })).toBe(chosen)
  })

  it('those since a time, and of the access log, are chosen', () => {
    expect(isChosen(entry('a'), { ...all, since: 5000 })).toBe(true)
    expect(isChosen(entry('a'), { ...all, since: 5001 })).toBe(false)
    expect(isChosen(entry('a'), { ...all, access: true })).toBe(false)
    const fields = { method: 'GET', status: 200 }
    expect(isChosen(entry('a', { access: fields }), { ...all, access: true })).toBe(true)
    expect(accessLine(entry('a', { access: fields }))).toBe(JSON.stringify(fields))
    expect(accessLine(entry('a', { access: true, msg: 'a line' }))).toBe('a line')
  })
})
