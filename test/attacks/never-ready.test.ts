import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, Platform } from '../support/platform.ts'

const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
liveness: { periodSeconds: 0.5, failureSeconds: 20, startSeconds: 12 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: {}
  stuck: { handler: ./stuck.mjs }
  brief: { handler: ./brief.mjs }
`
const STUCK = `
setInterval(() => {}, 1000)
await new Promise(() => {})
export default () => new Response('never')
`
/** Ends as soon as it has said that it is ready. */
const BRIEF = `
import { pathToFileURL } from 'node:url'
const { Courier } = await import(new URL('../../transfer/courier.js', pathToFileURL(process.argv[1])).href)
const { tell } = Courier.prototype
Courier.prototype.tell = function (to, message, ...more) {
  if (message.kind === 'ready') setTimeout(() => process.exit(1), 100)
  return tell.call(this, to, message, ...more)
}
export default () => new Response('brief')
`
let platform: Platform

beforeAll(async () => {
  const certificates = ['echo', 'stuck', 'brief'].map(name => ({ name, hosts: [`${name}.local`] }))
  const files = { 'stuck.mjs': STUCK, 'brief.mjs': BRIEF }
  platform = await Platform.start({ config: CONFIG, files, certificates })
})
afterAll(() => platform?.stop())

it('a container that does not become ready is ended and counted, and no other waits for it', async () => {
  const said = /stuck-1 was not ready within 12 s \(liveness.startSeconds\): .*; it is being killed/
  await eventually(() => said.test(platform.log) || undefined, 'it was not ended')
  // On a busy machine it may be late itself, and be started again.
  await eventually(async () => {
    const { status } = await fetch(`http://127.0.0.1:${platform.http}/echo`)
    return status === 200 || undefined
  }, 'echo does not answer')
  expect((await platform.member('stuck-1')).ready).toBe(false)
  await platform.until('stuck-1', ({ restarts }) => restarts > 0)
})

it('a container that ends again and again while the others start does not keep them from it', async () => {
  expect((await platform.member('brief-1')).restarts).toBeGreaterThan(0)
  expect(platform.log).toContain('brief-1 ended; it is being restarted')
})
