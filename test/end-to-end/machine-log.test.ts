import { once } from 'node:events'
import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import {
  CONFIG,
  eventually,
  isRunning,
  limitDescriptors,
  makeDirectory,
  Platform,
} from '../support/platform.ts'
import { run } from '../support/programs.ts'

/** A function that does to its output what it is told. */
const TALKER = `
import { readdirSync, readlinkSync } from 'node:fs'
export default {
  fetch(request) {
    const { searchParams } = new URL(request.url)
    const lines = Number(searchParams.get('lines') ?? 0)
    for (let number = 0; number < lines; number++) console.log('line ' + number + ' ' + 'x'.repeat(990))
    if (searchParams.has('say')) console.error(searchParams.get('say'))
    if (searchParams.has('crash')) {
      console.error(new Error('talker crashes'))
      process.kill(process.pid, 'SIGKILL')
    }
    const open = readdirSync('/proc/self/fd').flatMap(fd => {
      try { return [readlinkSync('/proc/self/fd/' + fd)] } catch { return [] }
    })
    return Response.json({ open })
  },
}`
const TALKS = CONFIG.replace(/ {2}hello: \{\}\n {2}echo-raw: \{\}\n/, '').replace(
  'functions:',
  [
    'restart: { mostSeconds: 100ms }',
    'log: { maxBytes: 65536, files: 2, bytesPerSecond: 100000 }',
    'functions:',
    '  talker: { handler: ./talker.mjs, hosts: [talker.local] }',
  ].join('\n'),
)

/** No more than is asked for: each function is a process. */
const ONE = 'functions: { echo: { hosts: [echo.local] } }\n'

let platform: Platform | undefined
let directory: string | undefined
async function clear(): Promise<void> {
  await platform?.end('SIGKILL')
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  platform = undefined
  directory = undefined
}

async function ask(path: string, serverName = 'echo.local') {
  const client = await Client.open({ port: platform!.https, tls: { ca: platform!.ca, serverName } })
  const answer = await client.request(path)
  client.socket.destroy()
  return answer
}

async function startTalker(): Promise<void> {
  directory = await makeDirectory(TALKS)
  writeFileSync(join(directory, 'talker.mjs'), TALKER)
  platform = await Platform.start({ directory })
}

const entries = () =>
  platform!.log
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
const entry = (of: (one: Record<string, unknown>) => boolean, otherwise: string) =>
  eventually(() => entries().find(of), otherwise)

describe('a log that cannot be written', () => {
  afterEach(clear)

  it('keeps nothing from starting, serving, starting again and ending in order', async () => {
    directory = await makeDirectory(ONE)
    mkdirSync(join(directory, 'run'), { mode: 0o700 })
    symlinkSync('/dev/full', join(directory, 'run', 'hotpotato.log'))
    platform = await Platform.start({ directory })
    const before = await platform.member('echo-1')
    process.kill(before.pid!, 'SIGKILL')
    await platform.until('echo-1', ({ ready, pid }) => ready && pid !== before.pid)
    expect((await ask('/echo')).status).toBe(200)
    expect(platform.welcome.match(/.*cannot be written.*/g)).toEqual([
      expect.stringMatching(/^hotpotato: the log \S+ cannot be written \(ENOSPC\): its lines are dropped/),
    ])
    expect(await platform.end('SIGTERM')).toBe(0)
  })

  it.skipIf(process.getuid?.() !== 0)(
    'on a disk that fills (needs root, for a tmpfs) it says later what is missing',
    async () => {
      directory = await makeDirectory()
      const disk = join(directory, 'run')
      mkdirSync(disk, { mode: 0o700 })
      expect((await run('mount', ['-t', 'tmpfs', '-o', 'size=600k,mode=700', 'tmpfs', disk])).code).toBe(0)
      try {
        platform = await Platform.start({ directory })
        await run('sh', ['-c', `cat /dev/zero > ${join(disk, 'fill')}`])
        const before = await platform.member('echo-1')
        // What is logged of each connection fills what is left of the last page.
        await eventually(async () => {
          expect((await ask('/echo')).status).toBe(200)
          return platform!.welcome.includes('cannot be written') ? true : undefined
        }, 'the disk does not fill')
        process.kill(before.pid!, 'SIGKILL')
        await platform.until('echo-1', now => now.ready && now.pid !== before.pid)
        rmSync(join(disk, 'fill'))
        await platform.kill('echo-1')
        await entry(
          one => Number(one.dropped) > 0 && one.name === 'supervisor',
          'it does not say what was dropped',
        )
        expect(isRunning(before.pid!)).toBe(false)
        expect(await platform.end('SIGTERM')).toBe(0)
      } finally {
        await platform?.end('SIGKILL')
        await run('umount', [disk])
      }
    },
  )
})

describe('a supervisor without a free descriptor', () => {
  afterEach(clear)

  it('goes on, and starts again what has ended when there is one', async () => {
    directory = await makeDirectory(TALKS)
    writeFileSync(join(directory, 'talker.mjs'), TALKER)
    platform = await Platform.start({ directory })
    const descriptors = await platform.descriptors()
    const before = await platform.member('echo-1')
    const attempts = (): number => platform!.log.split('cannot be started').length
    const { pid } = platform.child
    const restore = limitDescriptors(pid!, 'none')
    try {
      process.kill(before.pid!, 'SIGKILL')
      // Each number leaves off at another step of a start.
      for (const spare of ['none', 2, 4, 7, 12] as const) {
        limitDescriptors(pid!, spare)
        const seen = attempts()
        await eventually(() => (attempts() > seen + 1 ? true : undefined), `it says nothing with ${spare}`)
      }
    } finally {
      restore()
    }
    await platform.until('echo-1', ({ ready, pid }) => ready && pid !== before.pid)
    expect((await ask('/echo')).status).toBe(200)
    expect((await platform.descriptors()).supervisor).toBe(descriptors.supervisor)
    expect(await platform.end('SIGTERM')).toBe(0)
  })
})

describe('what a function prints', () => {
  beforeAll(startTalker)
  afterAll(clear)

  it('is in the log under its name, with its last words', async () => {
    const { pid } = await platform!.member('talker-1')
    await ask('/talker?say=a+word&lines=1', 'talker.local')
    expect(await entry(({ msg }) => msg === 'a word', 'nothing is said')).toMatchObject({
      level: 40,
      name: 'talker-1',
      function: 'talker',
      stream: 'stderr',
    })
    expect(await entry(({ msg }) => String(msg).startsWith('line 0'), 'nothing is said')).toMatchObject({
      level: 30,
      name: 'talker-1',
      stream: 'stdout',
    })
    await ask('/talker?crash', 'talker.local').catch(() => {})
    await entry(
      ({ msg }) => String(msg).includes('Error: talker crashes'),
      'the log does not say why it has ended',
    )
    await platform!.until('talker-1', now => now.ready && now.pid !== pid)
  })

  it('fills neither the disk nor the log of others, and holds no request up', async () => {
    const { pid } = await platform!.member('talker-1')
    const answer = await ask('/talker?lines=20000', 'talker.local')
    expect(answer.status).toBe(200)
    expect((await ask('/echo')).status).toBe(200)
    expect((await platform!.member('talker-1')).pid).toBe(pid)
    await entry(({ msg }) => String(msg).startsWith('output was dropped'), 'it does not say what was dropped')
    const log = join(platform!.directory, 'run', 'hotpotato.log')
    expect(statSync(log).size).toBeLessThanOrEqual(65_536)
    expect(statSync(`${log}.1`).size).toBeLessThanOrEqual(65_536)
  })

  it('comes out of a pipe: no process but the supervisor has the log', async () => {
    const { open } = JSON.parse(new TextDecoder().decode((await ask('/talker', 'talker.local')).body)) as {
      open: string[]
    }
    expect(open.length).toBeGreaterThan(3)
    expect(open.filter(one => one.includes('hotpotato.log'))).toEqual([])
  })

  it('does not wait for a supervisor that stands still', async () => {
    const { child } = platform!
    child.kill('SIGSTOP')
    try {
      for (let count = 0; count < 3; count++)
        expect((await ask('/talker?lines=2000', 'talker.local')).status).toBe(200)
    } finally {
      child.kill('SIGCONT')
    }
    await entry(({ msg }) => String(msg).startsWith('output was dropped'), 'it does not say what was dropped')
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })
})
