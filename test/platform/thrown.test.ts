import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isOne, thrown } from '../../src/platform/thrown.ts'
import { utf8 } from '../../src/wire/index.ts'
import { FakeHost, freshConnection, get, responses, turn } from '../support/connection-scene.ts'

const refusing = () => {
  throw new Error('not for you')
}
const HOSTILE: readonly (readonly [string, unknown])[] = [
  ['nothing', undefined],
  ['a number', 5],
  ['an object whose fields throw', Object.defineProperty({}, 'message', { get: refusing })],
  ['an error whose stack throws', Object.defineProperty(new Error('x'), 'stack', { get: refusing })],
  ['a proxy that refuses', new Proxy(new Error('x'), { get: refusing, getPrototypeOf: refusing })],
]

describe('what a function throws', () => {
  it.each(HOSTILE)('is looked at without harm: %s', (_, value) => {
    expect(() => thrown(value)).not.toThrow()
    expect(isOne(value, RangeError)).toBe(false)
  })

  it.each(HOSTILE)('is answered with 500, and the connection goes on: %s', async (_, value) => {
    let calls = 0
    const host = new FakeHost(() => {
      if (calls++ === 0) throw value
      return { status: 204 }
    })
    const { stream } = freshConnection(host)
    for (const status of [500, 204]) {
      stream.receive(utf8(get('/x')))
      await turn()
      expect(responses(stream.take(), 1)[0]?.status).toBe(status)
    }
    expect(host.ends).toEqual([])
  })

  const built = (name: string) => fileURLToPath(new URL(`../../dist/src/${name}.js`, import.meta.url))
  const program = `
import { pino } from 'pino'
import { surviveStrays } from ${JSON.stringify(built('containers/process/strays'))}
import { thrown } from ${JSON.stringify(built('platform/thrown'))}
let now = 0
const counters = surviveStrays({ steady: () => now }, pino({ serializers: { err: thrown } }))
const refusing = () => { throw new Error('not for you') }
const traps = { get: refusing, getPrototypeOf: refusing, ownKeys: refusing }
setTimeout(() => { throw { get message() { refusing() }, get stack() { refusing() }, toJSON: refusing } }, 1)
setTimeout(() => { now = 2000; Promise.reject(new Proxy({}, traps)) }, 100)
setTimeout(() => console.log('lives: ' + counters.uncaught), 300)
`

  it('ends nothing out of a timer or a promise', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = text(child.stdout)
    const [code] = await once(child, 'exit')
    expect(await said).toContain('lives: 2')
    expect(code).toBe(0)
  })
})
