import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Follower } from '../../src/cli/logs.ts'

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
