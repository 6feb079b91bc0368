import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Follower } from '../../src/cli/logs/follower.ts'
import { prettyLog } from '../../src/cli/logs/pretty.ts'
import { accessLine, isChosen } from '../../src/cli/logs/selection.ts'
import { sinceOf } from '../../src/cli/logs/since.ts'

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

  it('misses nothing that is written into the old file after another program has rotated it', () => {
    writeFileSync(path, 'one\n')
    follower = new Follower(path, 100)
    expect(look()).toEqual(['one'])
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    appendFileSync(`${path}.1`, 'two\n')
    expect(look()).toEqual(['two'])
    appendFileSync(`${path}.1`, 'three\n')
    expect(look()).toEqual(['three'])
    // As it stands between two looks of the follower.
    const following = follower.look()
    appendFileSync(`${path}.1`, 'four\nfi')
    expect(following.next().value).toBe('four')
    appendFileSync(`${path}.1`, 've\n')
    appendFileSync(path, 'six\n')
    expect([...following]).toEqual(['five', 'six'])
    expect(look()).toEqual([])
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

describe('--since', () => {
  const now = Date.parse('2026-03-01T12:00:00Z')

  it.each([
    ['5m', '2026-03-01T11:55:00Z'],
    ['1h30m', '2026-03-01T10:30:00Z'],
    ['0s', '2026-03-01T12:00:00Z'],
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
    ['2026-01-31t12:00:00z', '2026-01-31T12:00:00Z'],
    ['2026-01-31 12:00:00.5+01:00', '2026-01-31T11:00:00.5Z'],
    ['2026-01-31T12:00-00:30', '2026-01-31T12:30:00Z'],
  ])('%s is %s', (text, time) => expect(sinceOf(text, now)).toBe(Date.parse(time)))

  it('is of the zone of this machine where it names none', () => {
    expect(sinceOf('2026-01-31', now)).toBe(new Date(2026, 0, 31).getTime())
    expect(sinceOf('2026-01-31T12:30', now)).toBe(new Date(2026, 0, 31, 12, 30).getTime())
  })

  it.each(
    ['', 'x', '5', '-5m', '5 m', '1d', 'yesterday', '2026-02-30T00:00:00Z', '2026-13-01', '2026-1-1'].concat([
      '2026-01-31T25:00:00Z',
      '2026-01-31T12:00:00Zx',
      '2026-01-31 (a)',
      '12:00',
      '2026-01-31T12',
      '1e9h',
    ]),
  )('is not %j', text => {
    expect(() => sinceOf(text, now)).toThrow(
      /^--since must be a duration, as 5m or 1h30m, or a time, [^\n]*$/,
    )
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
