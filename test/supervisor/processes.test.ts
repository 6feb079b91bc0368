import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemberSpec } from '../../src/stack/spec.ts'
import { Processes } from '../../src/supervisor/processes.ts'
import { Replica } from '../../src/supervisor/replica.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { eventually } from '../support/platform.ts'

const { available } = probe()
const LACKING = available ? '' : ' (SKIPPED: foreign calls do not work here)'
const RESTART = { first: 1000, most: 1000, healthyAfter: 1000, crashLoop: 5 }
const SETTINGS = { name: 'warm', channel: 'native', provider: 'node', logLevel: 'info' } as const

const built = (name: string): string =>
  JSON.stringify(new URL(`../../dist/src/transfer/${name}.js`, import.meta.url).href)

/**
 * Says what it is told; and that it can work: at once, or at a signal if it has waited for what it is, or is
 * called so.
 */
const PROCESS = `
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { NativeChannel } from ${built('channels/native')}
import { decodeControl, writeControl } from ${built('control')}
import { Descriptor } from ${built('streams/descriptor')}
const publicKey = new Uint8Array(32)
let channel
for await (const line of createInterface(createReadStream('', { fd: 3 }))) {
  const { id, name } = JSON.parse(line)
  if (channel !== undefined) break
  channel = NativeChannel.open(id)
  channel.addPeer(0, [Descriptor.fromFd(4)])
  const say = kind => channel.send(0, writeControl({ kind, publicKey }))
  channel.onMessage = (from, payload) => {
    const { kind, ...more } = decodeControl(payload)
    console.log(name, kind, more.id ?? more.peer?.id ?? '')
    if (kind === 'stop') process.exit(0)
  }
  const late = name.startsWith('late')
  if (name === 'warm' || late) process.on('SIGUSR2', () => say('ready'))
  if (!late) say(name === 'warm' ? 'present' : 'ready')
  console.log('pid', process.pid)
}
setInterval(() => {}, 1000)
`

let folder: string
let program: URL
let said: string[]
let ends: string[]
let started: Replica[]
let processes: Processes

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hotpotato-processes-'))
  program = pathToFileURL(join(folder, 'process.mjs'))
  writeFileSync(program, PROCESS)
  said = []
  ends = []
  started = []
  processes = new Processes({
    channel: 'native',
    warmPool: () => ({ count: 1, entry: program, words: [], settings: SETTINGS }),
    liveness: { start: 60_000 },
    onStarted: replica => started.push(replica),
    output: { sink: line => said.push((JSON.parse(line) as { msg: string }).msg), bytesPerSecond: 1e6 },
    clock: SYSTEM_CLOCK,
    log: pino({ level: 'silent' }),
    onMessage(process, message) {
      if (message.kind === 'present') processes.present(process, message.publicKey)
      if (message.kind === 'ready') processes.introduce(process, message.publicKey)
    },
    onEnded: (_, how) => ends.push(how),
  })
})

afterEach(async () => {
  await processes.stop(1000)
  rmSync(folder, { recursive: true, force: true })
})

function replica(role: 'container' | 'gateway', more: Partial<MemberSpec> = {}): Replica {
  const settings = { ...SETTINGS, name: `${role}-1`, functionName: role === 'container' ? 'one' : '' }
  return new Replica({ name: settings.name, entry: program, role, settings, ...more }, RESTART)
}

/** A container that says at a signal that it is ready. */
function late(name: string): Replica {
  const settings = { ...SETTINGS, name, functionName: 'one' }
  return replica('container', { name, settings })
}

/** Waits for the process of the warm pool, which then has told its key. @returns its process id */
async function warmed(): Promise<number> {
  processes.warmPool.fill()
  const words = await eventually(
    async () => said.findLast(line => line.startsWith('pid ')),
    'no process of the warm pool runs',
  )
  return Number(words.slice(4))
}

/** A gateway that runs. */
async function gateway(): Promise<void> {
  const one = replica('gateway')
  processes.start(one)
  await eventually(async () => (one.ready && said.length > 0 ? true : undefined), 'there is no gateway')
  said = []
}

/** What the gateway says that it was told of a container, as soon as this is the last of it. */
async function toldOf({ member }: Replica, last: string): Promise<string[]> {
  const id = member!.id
  const news = (): string[] => said.filter(line => line.startsWith('gateway-1 ') && line.endsWith(` ${id}`))
  await eventually(
    async () => (news().at(-1) === `gateway-1 ${last} ${id}` ? true : undefined),
    `the gateway is not told: ${last}`,
  )
  return news().map(line => line.split(' ')[1]!)
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.skipIf(!available)(`a process that is started${LACKING}`, () => {
  it('and has been warm ends if it could not become the container that it was taken for', async () => {
    const pid = await warmed()
    processes.start(replica('container', { secrets: { store: folder, names: ['missing'] } }))
    expect(ends).toEqual([expect.stringMatching(/^it cannot be started: .*missing/)])
    await eventually(async () => (lives(pid) ? undefined : true), 'the warm process lives on')
  })

  it('is one of few: others wait until it is ready or has ended, if they are still wanted', async () => {
    const most = Math.max(4, availableParallelism() * 2)
    const replicas = Array.from({ length: most + 4 }, (_, index) => late(`late-${index}`))
    for (const one of replicas) processes.start(one)
    const waiting = replicas.slice(most)
    const states = (): boolean[] => waiting.map(one => processes.waits(one))
    expect(replicas.map(({ member }) => member !== undefined).indexOf(false)).toBe(most)
    expect([states(), started.length]).toEqual([[true, true, true, true], most])
    processes.withdraw(waiting[0]!)
    expect(states()).toEqual([false, true, true, true])
    await eventually(
      async () => said.filter(line => line.startsWith('pid ')).length === most || undefined,
      'they do not all run',
    )
    replicas[0]!.member!.child.kill('SIGUSR2')
    await eventually(async () => waiting[1]!.member, 'none follows one that is ready')
    expect(states()).toEqual([false, false, true, true])
    replicas[1]!.member!.child.kill('SIGKILL')
    await eventually(async () => waiting[2]!.member, 'none follows one that has ended')
    expect(states()).toEqual([false, false, false, true])
    // A gateway does not wait, and nothing is started for one that has been withdrawn.
    processes.start(replica('gateway'))
    expect(started.slice(most).map(({ name }) => name)).toEqual([
      waiting[1]!.name,
      waiting[2]!.name,
      'gateway-1',
    ])
    expect(waiting[0]!.member).toBeUndefined()
  })

  it('and has been warm is offered nothing if it is to go again before it is ready', async () => {
    await gateway()
    const pid = await warmed()
    const container = replica('container')
    processes.start(container)
    const isExpected = (): true | undefined => (container.member?.early?.size === 1 ? true : undefined)
    await eventually(async () => isExpected(), 'no gateway expects it')
    container.life.drain()
    processes.leaveOut(container)
    process.kill(pid, 'SIGUSR2')
    expect([...new Set(await toldOf(container, 'begins'))]).toEqual(['expect', 'draining', 'begins'])
  })

  it('is offered nothing by those that get to know it when it is to go already', async () => {
    await gateway()
    const container = replica('container')
    container.life.drain()
    processes.start(container)
    expect(await toldOf(container, 'draining')).toEqual(['introduce', 'draining'])
  })
})
