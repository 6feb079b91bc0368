import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Renewer } from '../../src/acme/renewer.ts'
import { AcmeScene } from '../support/acme-scene.ts'
import { certify } from '../support/certify.ts'

const DAY = 86_400_000

let scene: AcmeScene
let said: string[]
let locked: Error | undefined
let renewer: Renewer
let serial = 0

beforeEach(() => {
  scene = new AcmeScene()
  said = []
  locked = undefined
  const { clock, server } = scene
  server.chain = csr =>
    certify(csr, {
      names: ['a.test', 'b.test'],
      notBefore: clock.wall() - DAY,
      notAfter: clock.wall() + 89 * DAY,
      serial: Uint8Array.of(++serial),
      keyIdentifier: undefined,
    })
  renewer = new Renewer({
    ...scene.options(),
    certificates: [
      { name: 'one', names: ['a.test'] },
      { name: 'two', names: ['b.test'] },
    ],
    taken: {},
    alone: async work => {
      if (locked !== undefined) throw locked
      await work()
      return true
    },
    news: {
      installed: name => void said.push(`${name} is there`),
      failed: (name, message) => void said.push(`${name}: ${message}`),
      said: () => {},
    },
  })
})
afterEach(() => {
  renewer.stop()
  scene.remove()
})

const file = (name: string): string => join(scene.store.directory, `${name}.json`)

describe('what is kept and cannot be read', () => {
  it.each([
    ['is no JSON', '{ "names": ['],
    ['is something else', '[]'],
    ['is empty', ''],
  ])('%s: that certificate waits, the others come, and it is said once', async (_, text) => {
    writeFileSync(file('one.certificate'), text)
    for (let minute = 0; minute < 3; minute++) await renewer.work()
    const damaged = `${file('one.certificate')} is damaged: put it aside, and it is made anew`
    expect(said).toEqual([`one: ${damaged}`, 'two is there'])
    // Who asks by hand is told each time, and nothing turns in circles.
    renewer.force(['one'])
    await renewer.work()
    expect(said.at(-1)).toBe(`one: ${damaged}`)
    const { length } = scene.server.asked('/order')
    for (let i = 0; i < 50; i++) scene.clock.pass(100)
    expect([said.length, scene.server.asked('/order').length]).toEqual([3, length])
    // Mended, it goes on; what was told is told again when it comes again.
    writeFileSync(file('one.certificate'), readFileSync(file('two.certificate'), 'utf8'))
    await renewer.work()
    expect(said.at(-1)).toBe('one is there')
  })

  it('is a directory in its place', async () => {
    mkdirSync(file('one.certificate'))
    await renewer.work()
    expect(said).toEqual([`one: ${file('one.certificate')} cannot be read (EISDIR)`, 'two is there'])
  })

  it('is an order, or an account: both say so, and no request is made again and again', async () => {
    writeFileSync(file('one.order'), 'no')
    for (let minute = 0; minute < 3; minute++) await renewer.work()
    expect(said).toEqual([
      `one: ${file('one.order')} is damaged: put it aside, and it is made anew`,
      'two is there',
    ])
    expect(scene.server.asked('/order').length).toBe(1)
  })

  it('is where only one process may be: it is asked again in its time', async () => {
    locked = new Error('EACCES: permission denied')
    await renewer.work()
    await renewer.work()
    expect(said).toEqual(['one: EACCES: permission denied', 'two: EACCES: permission denied'])
    locked = undefined
    await renewer.work()
    expect(said.slice(2)).toEqual(['one is there', 'two is there'])
  })
})

/** Bytes of a disk, and what is said where it is full. */
const DISK = 65_536
const FULL = 'cannot be written (ENOSPC); choose another HOTPOTATO_CERTS_DIR'

describe.skipIf(process.getuid?.() !== 0)('a disk that is full (needs root, for a tmpfs)', () => {
  it.each([0, 4096])('with %i bytes left is one line for each certificate, and no order', async room => {
    const { directory } = scene.store
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', directory])
    if (status !== 0) throw new Error(`mount: ${stderr}`)
    try {
      const fill = join(directory, 'fill')
      expect(() => writeFileSync(fill, new Uint8Array(2 * DISK))).toThrow(/ENOSPC/)
      truncateSync(fill, DISK - room)
      for (let minute = 0; minute < 3; minute++) await renewer.work()
      expect(said.length).toBeGreaterThanOrEqual(2)
      for (const line of said) expect(line).toContain(FULL)
      expect(scene.server.asked('/order')).toEqual([])
      expect(readdirSync(directory).filter(name => name.endsWith('.tmp'))).toEqual([])
      truncateSync(fill, 0)
      await renewer.work()
      expect(said.slice(-2)).toEqual(['one is there', 'two is there'])
    } finally {
      spawnSync('umount', [directory])
    }
  })
})
