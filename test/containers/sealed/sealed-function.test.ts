import { describe, expect, it } from 'vitest'
import type { Launched } from '../../../src/functions/sealed/launch.ts'
import { eventually } from '../../support/platform.ts'
import { ask, bundleOf, functionOf } from '../../support/sealed.ts'

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
