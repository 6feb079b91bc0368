import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MOST_BYTES, readText } from '../../src/stack/yaml/text.ts'
import { MAIN } from '../support/platform.ts'
import { run } from '../support/programs.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-text-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

it.each([
  ['with a mark of its beginning', [0xef, 0xbb, 0xbf, 0x61], 'a'],
  ['in UTF-16', [0xff, 0xfe, 0x61, 0], ':1:1: the byte 0xff is no text in UTF-8'],
  ['in Latin-1', [...Buffer.from('a: 1\nb: gr'), 0xfc, 0xdf, 0x0a], ':2:6: the byte 0xfc is no text'],
  ['that is cut off', [...Buffer.from('ä€').subarray(0, 4)], ':1:3: the byte 0xe2 is no text'],
  ['with a NUL', [...Buffer.from('a\nb'), 0, 0x63], ':2:2: NUL is no text in UTF-8'],
  ['that is too large', Buffer.alloc(MOST_BYTES + 1, 0x61), `has more than ${MOST_BYTES} bytes`],
])('reads a file %s, or says where it is none', (_, bytes, says) => {
  const file = join(directory, 'one.yml')
  writeFileSync(file, Uint8Array.from(bytes))
  if (says === 'a') expect(readText(file)).toBe(says)
  else expect(() => readText(file)).toThrow(`${file}${says.startsWith(':') ? '' : ' '}${says}`)
})

it('refuses what is no file, and waits for nothing', async () => {
  const [folder, fifo, socket] = ['folder', 'fifo', 'socket'].map(name => join(directory, name)) as [
    string,
    string,
    string,
  ]
  mkdirSync(folder)
  expect(() => readText(folder)).toThrow(`${folder} cannot be read (EISDIR)`)
  await run('mkfifo', [fifo])
  expect(() => readText(fifo)).toThrow(`${fifo} is a named pipe, which may have no end`)
  const server = createServer()
  await new Promise<void>(resolve => server.listen(socket, resolve))
  expect(() => readText(socket)).toThrow(`${socket} cannot be read (ENXIO)`)
  server.close()
  expect(() => readText('/dev/zero')).toThrow('/dev/zero has more than')
})

it('is read from a pipe, and its paths start where the command does', async () => {
  const line = `echo 'functions: { echo: { replicas: 2 } }' | "$0" "$1" config print --config /dev/stdin`
  const { stdout } = await run('sh', ['-c', line, process.execPath, MAIN], '', { cwd: directory })
  expect(stdout.toString()).toContain(`runDirectory: ${join(directory, 'run')}\n`)
  expect(stdout.toString()).toContain('replicas: 2\n')
})
