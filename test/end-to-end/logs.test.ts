import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { environmentOf, eventually, hotpotato, MAIN, Platform } from '../support/platform.ts'

/** Counts aloud as long as it lives, and with each request; says so when it is asked to end. */
const COUNTER = `
const self = String(process.pid)
let count = 0
const say = what => console.log(JSON.stringify({ self, count: count++, what, fill: 'x'.repeat(200) }))
say('begins')
setInterval(() => say('lives'), 20).unref()
process.on('exit', () => say('ends'))
export default () => {
  say('is asked')
  return new Response(self)
}
`
/** Files of the log that are full after a moment: it is rotated while it is followed. */
const CONFIG = `
version: 1
gateway: { defaultFunction: counter }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, container: 60 } }
log: { maxBytes: 262144, files: 100, bytesPerSecond: 1000000 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  counter: { handler: ./counter.mjs, replicas: 2 }
  counter-other: { handler: ./counter.mjs, hosts: [] }
`

let platform: Platform
let follower: ChildProcess
let followed = ''
beforeAll(async () => {
  const certificates = ['counter', 'counter-other'].map(name => ({ name, hosts: [`${name}.local`] }))
  platform = await Platform.start({ config: CONFIG, files: { 'counter.mjs': COUNTER }, certificates })
  follower = spawn(process.execPath, [MAIN, 'logs', '-f', 'counter'], {
    cwd: platform.directory,
    env: environmentOf(platform.directory),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  follower.stdout!.setEncoding('utf8').on('data', (text: string) => {
    followed += text
  })
})
afterAll(async () => {
  follower?.kill('SIGKILL')
  await platform?.stop()
})

interface Said {
  readonly self: string
  readonly count: number
  readonly what: string
}
interface Entry {
  readonly name: string
  readonly msg: string
}

/** All files of the log, from the oldest on. */
function wholeLog(): string {
  const run = join(platform.directory, 'run')
  const numbers = readdirSync(run).flatMap(name => /^hotpotato\.log\.(\d+)$/.exec(name)?.[1] ?? [])
  const older = numbers.map(Number).sort((one, other) => other - one)
  expect(older.length).toBeGreaterThan(0)
  return [...older.map(number => `hotpotato.log.${number}`), 'hotpotato.log']
    .map(name => readFileSync(join(run, name), 'utf8'))
    .join('')
}

/** Whole lines of a log, without that which is being written. */
const linesOf = (text: string): string[] =>
  text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1)
const ofCounter = (line: string): boolean => /^counter-\d+$/.test((JSON.parse(line) as Entry).name)
/** What the function itself has said, in order. */
const saidIn = (lines: readonly string[]): Said[] =>
  lines.flatMap(line => {
    const { msg } = JSON.parse(line) as Entry
    return msg.startsWith('{"self"') ? [JSON.parse(msg) as Said] : []
  })
const selvesIn = (lines: readonly string[]): Set<string> => new Set(saidIn(lines).map(({ self }) => self))

it('logs -f NAME has all lines of a roll-out, of old and new containers, none twice, none lost', async () => {
  const client = await Client.open({
    port: platform.https,
    tls: { ca: platform.ca, serverName: 'counter.local' },
  })
  const ask = async (): Promise<string> => textOf(await client.request('/'))
  const before = await ask()
  await eventually(() => selvesIn(linesOf(followed)).size === 2 || undefined, 'it shows no two containers')
  for (let round = 0; round < 2; round++) {
    const deployed = hotpotato(platform.directory, ['deploy', 'counter'])
    let isOver = false
    void deployed.finally(() => {
      isOver = true
    })
    while (!isOver) await ask()
    expect((await deployed).code).toBe(0)
  }
  expect(await ask()).not.toBe(before)
  expect(client.handshakes).toBe(1)
  await client.close()
  await eventually(() => selvesIn(linesOf(followed)).size === 6 || undefined, 'it shows no new containers')
  // What is written last is what is there when nothing more comes.
  await platform.end('SIGTERM')
  const logged = linesOf(wholeLog()).filter(ofCounter)
  await eventually(() => linesOf(followed).length >= logged.length || undefined, 'the follower is behind')
  expect(linesOf(followed)).toEqual(logged)
  // Nor has the platform lost any on the way into its log: each container has counted.
  expect(linesOf(wholeLog()).length).toBeGreaterThan(logged.length)
  for (const self of selvesIn(logged)) {
    const counts = saidIn(logged).filter(one => one.self === self)
    expect(counts.map(({ count }) => count)).toEqual(counts.map((_, index) => index))
    expect(counts.at(-1)).toMatchObject({ what: 'ends' })
  }
  follower.kill('SIGINT')
  expect(await once(follower, 'exit')).toEqual([null, 'SIGINT'])
})
