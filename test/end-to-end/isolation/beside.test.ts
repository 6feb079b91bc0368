import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../../support/client.ts'
import { makeDirectory, Platform } from '../../support/platform.ts'
import { lacking } from './levels.ts'

/** Uses what lies in its own folder, makes a device where it may write, and lists those that it has. */
const TRIES = `
import { spawnSync } from 'node:child_process'
import { openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
const beside = name => join(import.meta.dirname, name)
const trying = work => {
  try { return work() } catch (error) { return error.code }
}
export default () => Response.json({
  device: trying(() => readSync(openSync(beside('zero')), Buffer.alloc(4), 0, 4)),
  setuid: spawnSync(beside('id'), ['-u'], { encoding: 'utf8' }).stdout?.trim(),
  made: spawnSync('mknod', ['/tmp/hotpotato-zero-' + process.pid, 'c', '1', '5']).status === 0,
  mounted: spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0,
  devices: readdirSync('/dev').filter(name => trying(() => {
    const is = statSync('/dev/' + name)
    return is.isBlockDevice() || is.isCharacterDevice()
  }) === true).sort(),
})
`
const LEVELS = ['user', 'sandbox', 'oci'] as const
const root = process.getuid?.() === 0 ? '' : ' (SKIPPED: devices and setuid programs take root to make)'
const config = `
version: 1
gateway: { defaultFunction: user }
isolationUids: ${21_000 + 10 * (process.pid % 3000)}-${21_009 + 10 * (process.pid % 3000)}
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
${LEVELS.filter(level => lacking(level, undefined) === '')
  .map(level => `  ${level}: { handler: ./${level}/tries.mjs, isolation: ${level} }\n`)
  .join('')}`

let directory: string | undefined
let platform: Platform | undefined
beforeAll(async () => {
  if (root !== '' || lacking('user', undefined) !== '') return
  directory = await makeDirectory(
    config,
    LEVELS.map(name => ({ name, hosts: [`${name}.local`] })),
  )
  // The level `user` has a user id of its own, and no other view of the files.
  chmodSync(directory, 0o755)
  for (const level of LEVELS) {
    const folder = join(directory, level)
    mkdirSync(folder)
    writeFileSync(join(folder, 'tries.mjs'), TRIES)
    copyFileSync('/usr/bin/id', join(folder, 'id'))
    chmodSync(join(folder, 'id'), 0o4755)
    spawnSync('mknod', ['-m', '666', join(folder, 'zero'), 'c', '1', '5'])
  }
  platform = await Platform.start({ directory })
})
afterAll(async () => {
  await platform?.stop()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

/** What a container may have; a sandbox of bubblewrap has a terminal's, and its input. */
const DEVICES = ['full', 'null', 'ptmx', 'random', 'stdin', 'tty', 'urandom', 'zero']

describe.each(LEVELS)('at the level %s, a function', level => {
  const why = root || lacking(level, undefined)

  it.skipIf(why !== '')(`gets nothing by devices and setuid programs beside its handler${why}`, async () => {
    const client = await Client.open({
      port: platform!.https,
      tls: { ca: platform!.ca, serverName: `${level}.local` },
    })
    const answer = await client.request(`/${level}`)
    await client.close()
    const { devices, ...tried } = JSON.parse(textOf(answer)) as { devices: string[]; setuid: string }
    // A user id is no wall to a device that is open to all: that shows that it is one.
    const device = level === 'user' ? 4 : 'EACCES'
    expect(tried).toEqual({
      device,
      setuid: expect.stringMatching(/^[1-9]\d*$/),
      made: false,
      mounted: false,
    })
    if (level !== 'user') expect(devices.filter(name => !DEVICES.includes(name))).toEqual([])
  })
})
