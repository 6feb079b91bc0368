import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RenewerOrder } from '../../src/cli/cert/renewer.ts'
import { Renewals } from '../../src/cli/up/renewals.ts'
import { type Config, parseConfig } from '../../src/stack/config.ts'
import type { Proofs } from '../../src/transfer/control.ts'
import { HandClock } from '../support/hand-clock.ts'
import { eventually } from '../support/platform.ts'

/** A program in the renewer's place: it writes down what it is told, and takes its time to end. */
const PROGRAM = `
import { appendFileSync, existsSync } from 'node:fs'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
const folder = new URL('.', import.meta.url).pathname
const note = what => appendFileSync(folder + 'notes', JSON.stringify(what) + '\\n')
const reports = new Socket({ fd: 3, readable: false, writable: true })
const tell = report => reports.write(JSON.stringify(report) + '\\n')
note({ did: 'start', pid: process.pid })
const lines = createInterface({ input: process.stdin })
lines.on('line', line => {
  const order = JSON.parse(line)
  note({ pid: process.pid, order })
  if (order.kind === 'start')
    tell({ kind: 'proofs', number: 1, proofs: { pages: [{ token: 't', content: 'c' }], responder: '' } })
  if (order.kind !== 'renew') return
  if (existsSync(folder + 'die')) process.kill(process.pid, 'SIGKILL')
  if (existsSync(folder + 'hold')) return
  for (const name of order.names) tell({ kind: 'installed', name, fingerprint: name + process.pid })
})
lines.on('close', () => setTimeout(() => {
  note({ did: 'end', pid: process.pid })
  process.exit(0)
}, 150))
`

interface Note {
  readonly did?: 'start' | 'end'
  readonly pid: number
  readonly order?: RenewerOrder
}

let directory: string
let clock: HandClock
let proofs: Proofs[]
let takes: number
let fault: Error | undefined
let renewals: Renewals

const stack = (host: string): Config =>
  parseConfig(
    `{ functions: { echo: { certificate: web, hosts: [${host}] } }, tls: { acme: { agreeToTerms: true } } }`,
    directory,
  ).config
const notes = (): Note[] =>
  existsSync(join(directory, 'notes'))
    ? readFileSync(join(directory, 'notes'), 'utf8')
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Note)
    : []
const started = (count: number): Promise<true> =>
  eventually(
    () => notes().filter(one => one.order?.kind === 'start').length >= count || undefined,
    `not ${count} processes start`,
  )

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-renewals-'))
  writeFileSync(join(directory, 'program.mjs'), PROGRAM)
  clock = new HandClock()
  proofs = []
  takes = 0
  fault = undefined
  const nothing = (): void => {}
  renewals = new Renewals({
    clock,
    log: { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing } as never,
    output: { sink: nothing, bytesPerSecond: 1e6 },
    logLevel: 'info',
    prove: async one => void proofs.push(one),
    take: async () => {
      takes++
      if (fault !== undefined) throw fault
    },
    taken: { web: 'first' },
    entry: pathToFileURL(join(directory, 'program.mjs')),
  })
})
afterEach(async () => {
  renewals.stop()
  await eventually(() => {
    const all = notes()
    const of = (did: string): number => all.filter(one => one.did === did).length
    return of('start') <= of('end') + killed || undefined
  }, 'a process stays')
  killed = 0
  rmSync(directory, { recursive: true, force: true })
})
/** Processes that end without a word. */
let killed = 0

describe('the process that asks for certificates', () => {
  it('is one at a time, however often the stack file changes, and the last one has it', async () => {
    for (const host of ['a.test', 'b.test', 'c.test']) renewals.follow(stack(host))
    await eventually(() => {
      const last = notes().findLast(one => one.order?.kind === 'start')?.order
      return (last?.kind === 'start' && last.settings.certificates[0]!.names[0] === 'c.test') || undefined
    }, 'the last stack file is not followed')
    renewals.follow(stack('d.test'))
    renewals.follow(stack('e.test'))
    await started(3)
    let there = 0
    for (const { did } of notes()) {
      there += did === 'start' ? 1 : did === 'end' ? -1 : 0
      expect(there).toBeLessThanOrEqual(1)
    }
  })

  it('takes what it shows with it, and hears anew which certificates are wanted', async () => {
    renewals.follow(stack('a.test'))
    await eventually(() => proofs.at(-1)?.pages.length === 1 || undefined, 'nothing is shown')
    writeFileSync(join(directory, 'hold'), '')
    const renewed = renewals.renew('web')
    await eventually(() => notes().some(one => one.order?.kind === 'renew') || undefined, 'it is not told')
    rmSync(join(directory, 'hold'))
    renewals.follow(stack('b.test'))
    await eventually(
      () => proofs.some((one, at) => at > 0 && one.pages.length === 0) || undefined,
      'it shows on',
    )
    // The next one is told of what the one before has not done.
    expect(await renewed).toEqual(['web'])
    expect(takes).toBe(1)
  })

  it('has not what a command waits for when it is killed, and is started again', async () => {
    killed = 1
    renewals.follow(stack('a.test'))
    await started(1)
    writeFileSync(join(directory, 'die'), '')
    await expect(renewals.renew('web')).rejects.toThrow('the process that asks for certificates has ended')
    rmSync(join(directory, 'die'))
    clock.pass(1000)
    await started(2)
    expect(await renewals.renew('web')).toEqual(['web'])
  })
})

describe('functions', () => {
  it('that cannot start are asked again later each time, and a command hears of it', async () => {
    renewals.follow(stack('a.test'))
    await started(1)
    fault = new Error('web cannot start')
    await expect(renewals.renew('web')).rejects.toThrow(
      'web: the certificate is there, but is not taken yet: web cannot start',
    )
    for (let second = 0; second < 3600; second++) {
      clock.pass(1000)
      await Promise.resolve()
    }
    expect(takes).toBeGreaterThan(5)
    expect(takes).toBeLessThan(20)
    fault = undefined
    clock.pass(600_000)
    await eventually(() => clock.waiting === 0 || undefined, 'it is not taken')
    const before = takes
    clock.pass(3_600_000)
    expect(takes).toBe(before)
  })

  it('have what they began with: the process is told of it, and of what they took since', async () => {
    renewals.follow(stack('a.test'))
    await started(1)
    await renewals.renew(undefined)
    renewals.follow(stack('b.test'))
    await started(2)
    const [first, second] = notes().flatMap(one => (one.order?.kind === 'start' ? [one] : []))
    const taken = (one: Note | undefined) => one?.order?.kind === 'start' && one.order.settings.taken
    expect([taken(first), taken(second)]).toEqual([{ web: 'first' }, { web: `web${first!.pid}` }])
  })
})
