import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, Platform } from '../end-to-end/platform.ts'

const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
liveness: { periodSeconds: 0.5, failureSeconds: 20, startSeconds: 12 }
functions:
  echo: {}
  stuck: { handler: ./stuck.mjs }
`
const STUCK = `
setInterval(() => {}, 1000)
await new Promise(() => {})
export default () => new Response('never')
`
let platform: Platform

beforeAll(async () => {
  const certificates = ['echo', 'stuck'].map(name => ({ name, hosts: [`${name}.local`] }))
  platform = await Platform.start({ config: CONFIG, files: { 'stuck.mjs': STUCK }, certificates })
})
afterAll(() => platform?.stop())

it('a container that does not become ready is ended and counted, and the others do not wait for it', async () => {
  const said = 'stuck-1 is not ready in 12 s; it is killed'
  await eventually(() => platform.log.includes(said) || undefined, 'it was not ended')
  const { status } = await fetch(`http://127.0.0.1:${platform.http}/echo`)
  expect(status).toBe(200)
  expect((await platform.member('stuck-1')).ready).toBe(false)
  await platform.until('stuck-1', ({ restarts }) => restarts > 0)
})
