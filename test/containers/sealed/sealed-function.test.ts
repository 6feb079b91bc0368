import { describe, expect, it } from 'vitest'
import { ask, bundleOf, functionOf } from '../../support/sealed.ts'

const PID = 'export default () => new Response(String(process.pid))'
const pidOf = async (response: Response | Promise<Response>): Promise<string> => (await response).text()

describe('the worker of a sealed function', () => {
  it('is one for requests that come at once, and another for the next', async () => {
    const module = functionOf(bundleOf(PID))
    const [one, other] = await Promise.all([pidOf(ask(module)), pidOf(ask(module))])
    expect(one).toBe(other)
    expect(await pidOf(ask(module))).not.toBe(one)
    module.stop()
  })

  it('waits for the next request with the same key where keys are remembered', async () => {
    const module = functionOf(bundleOf(PID), 60_000)
    const first = await pidOf(ask(module))
    expect(await pidOf(ask(module))).toBe(first)
    expect((await ask(module, `data-key ${'A'.repeat(43)}`)).status).toBe(403)
    module.stop()
    expect(await pidOf(ask(module))).not.toBe(first)
    module.stop()
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
