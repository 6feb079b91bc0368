import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Launched } from '../../../src/functions/sealed/launch.ts'
import { newIdentity, wrapKey } from '../../../src/sealed/age.ts'
import { newDataKey } from '../../../src/sealed/bundle.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { eventually } from '../../support/platform.ts'
import { ask, bundleOf, functionOf, wrappedFor } from '../../support/sealed.ts'

const PID = 'export default () => new Response(String(process.pid))'
const pidOf = async (response: Response | Promise<Response>): Promise<string> => (await response).text()

describe('the worker of a sealed function', () => {
  it('is one for requests that come at once, and another for the next', async () => {
    const module = functionOf(bundleOf(PID))
    const [one, other] = await Promise.all([pidOf(ask(module)), pidOf(ask(module))])
    expect(one).toBe(other)
    // One that comes before the worker has said that it is done is at once with the others, too.
    const next = async () => ((await pidOf(ask(module))) === one ? undefined : true)
    await eventually(next, 'the worker stays for later requests')
    module.stop()
  })

  it('waits for the next request with the same key where keys are remembered', async () => {
    const module = functionOf(bundleOf(PID), { cacheMilliseconds: 60_000 })
    const first = await pidOf(ask(module))
    expect(await pidOf(ask(module))).toBe(first)
    expect((await ask(module, `data-key ${'A'.repeat(43)}`)).status).toBe(403)
    module.stop()
    expect(await pidOf(ask(module))).not.toBe(first)
    module.stop()
  })

  it('has been started ahead, empty, where that is asked for, and is for one key', async () => {
    const launched: Launched[] = []
    const onLaunch = (one: Launched): void => void launched.push(one)
    const module = functionOf(bundleOf(PID), { warm: 1, onLaunch })
    expect(launched.length).toBe(1)
    expect(await pidOf(ask(module))).toBe(String(launched[0]!.pid))
    await eventually(() => (launched.length === 2 ? true : undefined), 'no other one is started in its place')
    // A request that comes before the first one has said that it is done is with that one.
    const first = String(launched[0]!.pid)
    const second = async () => {
      const pid = await pidOf(ask(module))
      return pid === first ? undefined : pid
    }
    expect(await eventually(second, 'the first stays')).toBe(String(launched[1]!.pid))
    module.stop()
    for (const { ended } of launched) expect(await ended).toBe('SIGKILL')
  })

  it('finds out that its bundle was changed, and the client gets 503', async () => {
    const bundle = bundleOf(PID)
    bundle[bundle.length - 20]! ^= 1
    const module = functionOf(bundle)
    const answer = await ask(module)
    expect([answer.status, answer.headers.get('x-hotpotato-error')]).toEqual([503, 'bundle-damaged'])
    module.stop()
  })

  it('is not started for a key that is wrong or was left behind', async () => {
    const module = functionOf(bundleOf(PID))
    for (const [key, status] of [
      ['data-key AAAA', 403],
      ['*'.repeat(52), 421],
    ] as const)
      expect((await ask(module, key)).status).toBe(status)
    module.stop()
  })
})

const MINUTE = 60_000

it('is one worker while requests are less than T apart, and it ends T after the last', async () => {
  const clock = new HandClock()
  const launched: Launched[] = []
  const onLaunch = (one: Launched): void => void launched.push(one)
  const module = functionOf(bundleOf(PID), { cacheMilliseconds: 60 * MINUTE, clock, onLaunch })
  const idle = (): Promise<true> =>
    eventually(() => clock.waiting > 0 || undefined, 'the worker does not wait')
  const first = await pidOf(ask(module))
  for (let i = 0; i < 20; i++) {
    await idle()
    clock.pass(59 * MINUTE)
    expect(await pidOf(ask(module))).toBe(first)
  }
  await idle()
  clock.pass(60 * MINUTE - 1)
  expect([launched.length, existsSync(`/proc/${first}`)]).toEqual([1, true])
  clock.pass(1)
  expect(await launched[0]!.ended).toBe('SIGKILL')
  module.stop()
})

describe('an identity of age', () => {
  /** After nine wrong keys from its client. */
  const twice = async (wrapped: Uint8Array, identity: string) => {
    const log: string[] = []
    let started = 0
    const onLaunch = (): void => void started++
    const module = functionOf(bundleOf(PID, wrapped), { onLaunch, onLog: message => log.push(message) })
    const key = `age-identity ${identity}`
    const status = async (brought: string): Promise<number> => (await ask(module, brought)).status
    for (let i = 0; i < 9; i++) expect(await status(`data-key ${'A'.repeat(43)}`)).toBe(403)
    const statuses = [await status(key), await status(key)]
    module.stop()
    return { statuses, started, log }
  }

  it('is wrong for a bundle whose key is wrapped for none, and starts no process', async () => {
    const { identity } = await newIdentity()
    const none = new Uint8Array()
    expect(await twice(none, identity)).toEqual({ statuses: [403, 429], started: 0, log: [] })
  })

  it('counts as a wrong key where the wrapped key is damaged: every identity comes so far', async () => {
    const { identity, recipient } = await newIdentity()
    const wrapped = await wrappedFor([recipient])
    wrapped[0]! ^= 1
    expect((await twice(wrapped, identity)).statuses).toEqual([503, 429])
  })

  it('that unwraps the key of another bundle is right, and the bundle damaged', async () => {
    const { identity, recipient } = await newIdentity()
    const { statuses, log } = await twice(await wrapKey(newDataKey(node), [recipient]), identity)
    expect(statuses).toEqual([503, 503])
    const detail = 'the bundle is damaged: its wrapped key is that of another bundle'
    expect(log[0]).toBe(`the bundle cannot be used: ${detail}`)
  })
})
