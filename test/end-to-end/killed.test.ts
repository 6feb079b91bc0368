import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import {
  environmentOf,
  eventually,
  hotpotato,
  isRunning,
  MAIN,
  makeDirectory,
  Platform,
} from '../support/platform.ts'

/*
 * What is killed in the middle of a change: the command that asked for it, a container that it is about, the
 * platform itself. Nothing stays behind, no other function loses a connection, the next command works.
 */

const LONG = process.env.HOTPOTATO_LONG === '1'
/** Does not start, and does not answer, as long as a file `closed` is there: that is the middle. */
const GATED = `
import { existsSync } from 'node:fs'
const gate = new URL('./closed', import.meta.url)
const opened = async () => { while (existsSync(gate)) await new Promise(resolve => setTimeout(resolve, 20)) }
await opened()
export default {
  async fetch() {
    await opened()
    return new Response(process.env.WORD)
  },
}
`
const CERTIFICATES = ['calm', 'gated'].map(name => ({ name, hosts: [`${name}.local`] }))
const configOf = (word: string): string => `
gateway: { defaultFunction: calm }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300 } }
functions:
  calm: { handler: ./calm.mjs }
  gated: { handler: ./gated.mjs, environment: { WORD: ${word} }, replicas: { min: 1, max: 3 } }
`

let directory: string
let platform: Platform

beforeAll(async () => {
  directory = await makeDirectory(configOf('one'), CERTIFICATES)
  writeFileSync(join(directory, 'gated.mjs'), GATED)
  writeFileSync(join(directory, 'calm.mjs'), 'export default { fetch: () => new Response("calm") }\n')
})
afterAll(async () => {
  open()
  await platform?.end('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const close = (): void => writeFileSync(join(directory, 'closed'), '')
const open = (): void => rmSync(join(directory, 'closed'), { force: true })
const client = (serverName: string): Promise<Client> =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

/** A command that is at it. */
interface Running {
  readonly child: ChildProcess
  readonly said: Promise<string>
  readonly ended: Promise<unknown>
}

function begin(line: string): Running {
  const child = spawn(
    process.execPath,
    [MAIN, ...line.split(' '), '--config', join(directory, 'hotpotato.yml')],
    {
      env: environmentOf(directory),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  return { child, said: text(child.stderr!), ended: once(child, 'close') }
}

/** Waits until another container of the function with the gate is being started. @returns its process */
async function starting(): Promise<number> {
  const found = await eventually(
    async () =>
      (await platform.status()).find(
        ({ functionName, state }) => functionName === 'gated' && state === 'starting',
      ),
    'no container is being started',
  )
  return found.pid!
}

/** Names of the containers of the function with the gate, once all of them are ready. */
const settled = (otherThan: string): Promise<string> =>
  eventually(async () => {
    const all = (await platform.status()).filter(({ functionName }) => functionName === 'gated')
    const names = all.map(({ name }) => name).join()
    return all.every(({ state }) => state === 'ready') && names !== otherThan ? names : undefined
  }, `the containers are still ${otherThan}`)

describe('in the middle of a change of one function', () => {
  let calm: Client
  beforeAll(async () => {
    platform = await Platform.start({ directory })
    calm = await client('calm.local')
    await calm.request('/')
  })
  afterEach(async () => {
    open()
    // The connection of another function has not noticed.
    expect(await calm.request('/')).toMatchObject({ status: 200, container: 'calm-1', hops: 0 })
  })

  it.each([
    ['SIGKILL', 'deploy gated'],
    ['SIGTERM', 'scale gated 2'],
    ['SIGKILL', 'reload'],
    ...(LONG
      ? ([
          ['SIGTERM', 'deploy gated'],
          ['SIGKILL', 'scale gated 3'],
          ['SIGINT', 'reload'],
        ] as const)
      : []),
  ] as const)('a command that ends with %s does not end it: %s', async (signal, line) => {
    const before = await settled('')
    if (line === 'reload') writeFileSync(join(directory, 'hotpotato.yml'), configOf(signal))
    close()
    const { child, ended } = begin(line)
    await starting()
    child.kill(signal)
    await ended
    expect([child.exitCode, child.signalCode]).toEqual(signal === 'SIGINT' ? [130, null] : [null, signal])
    // The next command sees it, and the one after that may change it.
    expect((await hotpotato(directory, ['list'])).stdout).toMatch(/^gated +\d /m)
    open()
    await settled(before)
    expect(await hotpotato(directory, ['scale', 'gated', '1'])).toMatchObject({ code: 0 })
  })

  it('a new container that is killed is told of, and the old one stays', async () => {
    const talking = await client('gated.local')
    const word = textOf(await talking.request('/'))
    writeFileSync(join(directory, 'hotpotato.yml'), configOf('never'))
    close()
    const { child, said, ended } = begin('reload')
    process.kill(await starting(), 'SIGKILL')
    await ended
    expect(child.exitCode).toBe(1)
    expect(await said).toMatch(
      /the new containers did not start; the old ones stay: gated-\d+ ended \(SIGKILL\)\n$/,
    )
    open()
    expect(textOf(await talking.request('/'))).toBe(word)
    await talking.close()
    expect(await hotpotato(directory, ['reload'])).toMatchObject({ code: 0 })
  })

  it('an old container that is killed does not keep the new one from following it', async () => {
    const before = await settled('')
    const { pid } = await platform.member(before)
    writeFileSync(join(directory, 'hotpotato.yml'), configOf('after'))
    close()
    const { child, ended } = begin('reload')
    await starting()
    process.kill(pid!, 'SIGKILL')
    await eventually(async () => (isRunning(pid!) ? undefined : true), 'it is not killed')
    open()
    await ended
    expect(child.exitCode).toBe(0)
    await settled(before)
    const next = await client('gated.local')
    expect(textOf(await next.request('/'))).toBe('after')
    await next.close()
  })
})

describe('the platform in the middle of', () => {
  type Case = readonly [signal: NodeJS.Signals, line: string]
  const changes = [
    'deploy gated',
    ...(LONG ? ['scale gated 2', 'reload', 'restart gateway', 'remove gated'] : []),
  ]
  const cases: Case[] = [
    ...changes.map((line): Case => ['SIGKILL', line]),
    ...(LONG ? changes : []).map((line): Case => ['SIGTERM', line]),
    ...(LONG ? [['SIGKILL', 'stop'] as const] : []),
    ['SIGKILL', 'down'],
  ]

  it.each(cases)('is ended with %s: %s', async (signal, line) => {
    const pids = (await platform.status()).map(({ pid }) => pid!)
    const ends = /^(down|stop)/.test(line)
    const talking = await client('gated.local')
    close()
    // What ends waits for an answer; what starts waits for a container.
    const answer = talking.request('/').catch(() => undefined)
    if (line === 'reload') writeFileSync(join(directory, 'hotpotato.yml'), configOf(signal))
    const { child, said, ended } = begin(line)
    if (ends) await eventually(() => platform.log.includes('"msg":"stopped"') || undefined, 'nothing ends')
    else if (/^(deploy|scale|reload)/.test(line)) pids.push(await starting())
    const code = await platform.end(signal)
    await ended
    open()
    await answer
    talking.socket.destroy()
    expect(code).toBe(signal === 'SIGKILL' ? null : 0)
    if (ends) expect([child.exitCode, await said]).toEqual([0, ''])
    else if (child.exitCode !== 0) {
      expect(child.exitCode).toBe(1)
      // It may have come too late.
      expect(await said).toMatch(
        /(^|\n)(the platform ended before it had answered; .* starts it again|.* is not running; .*)\n$/,
      )
    }
    await eventually(() => (pids.some(isRunning) ? undefined : true), 'a process stays behind')
    expect((await hotpotato(directory, ['down'])).stdout).toBe('hotpotato is not running\n')
    rmSync(join(directory, 'run', 'hotpotato.log'))
    platform = await Platform.start({ directory })
    expect((await hotpotato(directory, ['list', '-q'])).stdout).toBe('calm\ngated\n')
  })

  it('leaves nothing in the run directory when it ends in order', async () => {
    expect(await hotpotato(directory, ['down'])).toMatchObject({ code: 0, stdout: 'stopped\n' })
    const left = readdirSync(join(directory, 'run'), { recursive: true }) as string[]
    expect(left.filter(name => !/^hotpotato\.log/.test(name))).toEqual(['up'])
  })
})
