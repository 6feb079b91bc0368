import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const BUILT = fileURLToPath(new URL('../../../dist/src/containers/process/strays.js', import.meta.url))

/** A process in which a function throws all over the place, and that says what was noted. */
const PROGRAM = `
import { surviveStrays } from ${JSON.stringify(BUILT)}
const lines = []
let now = 0
const counters = surviveStrays({ steady: () => now }, { error: (...all) => lines.push(all[1]) })
setTimeout(() => { throw new Error('out of a timer') }, 1)
Promise.reject(new Error('left alone'))
const again = setInterval(() => { throw new Error('again and again') }, 1)
setTimeout(() => {
  clearInterval(again)
  now = 1000
  setTimeout(() => { throw new Error('later') }, 1)
  setTimeout(() => console.log(JSON.stringify({ ...counters, lines })), 20)
}, 50)
`

it('what a function throws outside of requests ends nothing: it is counted, and logged in turn', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = text(child.stdout)
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  const { uncaught, lines } = JSON.parse(await said)
  expect(uncaught).toBeGreaterThan(2)
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/promise|outside of any request/)
})
