import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { eventually, hotpotato, Platform } from '../support/platform.ts'

/** More than any machine rehearses in six seconds: what waits for the end of it waits in vain. */
const CONFIG = `
gateway: { defaultFunction: echo }
liveness: { startSeconds: 60 }
rehearsalSeconds: 6
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: {}
`
let platform: Platform
beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, environment: { HOTPOTATO_REHEARSALS: '1000000' } })
})
afterAll(() => platform?.stop())

it('a roll-out waits until new containers have rehearsed, or had their time for it', async () => {
  const scaled = hotpotato(platform.directory, ['scale', 'echo', '2'])
  // It takes connections while it rehearses.
  const fresh = await platform.until('echo-2', ({ ready }) => ready)
  expect(fresh.state).toBe('ready')
  const answered = await eventually(async () => {
    const tls = { ca: platform.ca, serverName: 'echo.local' }
    const client = await Client.open({ port: platform.https, tls })
    const { container } = await client.request('/echo')
    client.socket.destroy()
    return container === 'echo-2' ? true : undefined
  }, 'the new container takes no connection')
  expect(answered).toBe(true)
  expect(await scaled).toEqual({
    code: 0,
    stdout: 'started echo-2\n',
    stderr: '',
    progress: expect.stringMatching(/^(starting echo-2\n)?echo-2 is ready and rehearsing moves\n$/),
  })
  // On a busy machine the first one may be done when its time is over already.
  await platform.until('echo-2', ({ counters }) => counters.rehearsed! > 0 && counters.rehearsing === 0)
})

it('with --json it says nothing but the outcome', async () => {
  const { stdout, ...more } = await hotpotato(platform.directory, ['deploy', 'echo', '--json'])
  expect(more).toEqual({ code: 0, stderr: '', progress: '' })
  expect(JSON.parse(stdout)).toMatchObject({ started: ['echo-3', 'echo-4'], ended: ['echo-1', 'echo-2'] })
  const drained = await hotpotato(platform.directory, ['scale', 'echo', '1', '--json'])
  expect(JSON.parse(drained.stdout)).toMatchObject({ ended: ['echo-4'] })
})
