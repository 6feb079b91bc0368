import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { FunctionStatus } from '../../src/cli/platform/status.ts'
import { Client, textOf } from '../support/client.ts'
import { type CommandResult, eventually, hotpotato, Platform } from '../support/platform.ts'

/* One platform, four of whose five functions cannot start: each in a way of its own. */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { holdSeconds: 20s } }
# Each try costs a process its start: they are not to be all that the machine does.
restart: { firstSeconds: 100ms, mostSeconds: 3s }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: {}
  parsed: { handler: ./parsed.mjs }
  thrown: { handler: ./thrown.mjs }
  shaped: { handler: ./shaped.mjs, replicas: 2 }
  exits: { handler: ./exits.mjs }
`
const FILES = {
  'parsed.mjs': "import { sign } from './sign.mjs'\nexport default () => new Response(sign)\n",
  'sign.mjs': "export const other = 1\nexport const sign = '!' '?'\n",
  'thrown.mjs': "const open = () => {\n  throw new Error('no database')\n}\nopen()\n",
  'shaped.mjs': 'export const fetch = 1\n',
  'exits.mjs': 'process.exit(3)\n',
}
const NAMES = ['echo', 'parsed', 'thrown', 'shaped', 'exits']
let platform: Platform
beforeAll(async () => {
  const certificates = NAMES.map(name => ({ name, hosts: [`${name}.local`] }))
  platform = await Platform.start({ config: CONFIG, files: FILES, certificates })
})
afterAll(() => platform?.stop())

const run = (line: string): Promise<CommandResult> => hotpotato(platform.directory, line.split(' '))

it('up starts the others, and says of each that is broken what is wrong, and where', async () => {
  const { welcome, directory } = platform
  expect(welcome).toContain(`parsed-1 cannot start: ${directory}/parsed.mjs cannot be loaded: `)
  expect(welcome).toMatch(/parsed-1 cannot start: .*Unexpected string \(\S+\/sign\.mjs:2\)/)
  expect(welcome).toMatch(/thrown-1 cannot start: .*no database \(\S+\/thrown\.mjs:2:9\)/)
  expect(welcome).toMatch(/shaped-2 cannot start: \S+\/shaped\.mjs must have a default export/)
  expect(welcome).toMatch(/exits-1 ended; it is being restarted \(exit code 3\)/)
  expect(welcome).toMatch(/^ {2}serves {2}echo .*[^t]\n/m)
  expect(welcome.match(/^ {10}.*, which cannot start$/gm)).toHaveLength(4)
})

it('goes on trying, with back-off', async () => {
  await platform.until('thrown-1', ({ restarts }) => restarts >= 2)
})

it('requests for it get 503 at once, with words, and the connection goes on', async () => {
  const client = await Client.open({ port: platform.http })
  expect((await client.request('/echo')).status).toBe(200)
  await client.close()
  const fresh = await Client.open({ port: platform.http })
  const refusal = await fresh.request('/thrown')
  expect(refusal.status).toBe(503)
  const { type, detail } = JSON.parse(textOf(refusal))
  expect(type).toBe('urn:hotpotato:problem:function-unavailable')
  expect(detail).toBe('no container of the function thrown can be started')
  await fresh.close()
})

it('status, list and describe name it as broken, with the reason', async () => {
  const [status, list, described, pool, json] = await Promise.all(
    ['status', 'list', 'describe thrown', 'status shaped', 'list --json'].map(run),
  )
  expect(status!.stdout).toMatch(/^thrown +1 +broken /m)
  expect(status!.stdout).toMatch(/^broken: thrown: .*no database \(\S+thrown\.mjs:2:9\)$/m)
  expect(list!.stdout).toMatch(/^shaped +2 +broken /m)
  expect(list!.stdout).toMatch(/^echo +1 +1 /m)
  expect(described!.stdout).toMatch(/^broken +\S+thrown\.mjs cannot be loaded: no database/m)
  expect(pool!.stdout).toMatch(/^shaped: broken: .*default export/m)
  const functions = JSON.parse(json!.stdout) as FunctionStatus[]
  expect(functions.find(({ name }) => name === 'echo')?.broken).toBeUndefined()
  expect(functions.find(({ name }) => name === 'exits')?.broken).toMatch(/exit code 3/)
})

it('invoke says what it is over TLS, where the gateway has no words', async () => {
  const { code, stderr } = await run('invoke thrown -d x')
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^thrown cannot be called: no container of it is ready; .*status thrown.* says why\n$/,
  )
})

it('deploy refuses it, with the reason, and reload of others is no matter of it', async () => {
  const refused = await run('deploy thrown')
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(/the new containers did not start; .*no database \(\S+thrown\.mjs:2:9\)/)
  writeFileSync(
    join(platform.directory, 'hotpotato.yml'),
    CONFIG.replace('echo: {}', 'echo: { replicas: 2 }'),
  )
  expect(await run('reload')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^echo: replicas/m) })
})

it('one that was mended serves, by itself or after deploy, and one can be removed', async () => {
  const handler = "export default () => new Response('mended')\n"
  for (const name of ['thrown', 'shaped']) writeFileSync(join(platform.directory, `${name}.mjs`), handler)
  expect((await run('deploy shaped')).code).toBe(0)
  await eventually(async () => {
    // Each on a connection of its own: one that is told 503 may be closed.
    for (const path of ['/thrown', '/shaped']) {
      const client = await Client.open({ port: platform.http })
      const { status } = await client.request(path)
      await client.close()
      if (status !== 200) return undefined
    }
    return true
  }, 'it does not serve')
  expect((await run('remove exits')).code).toBe(0)
  expect((await run('list -q')).stdout).toBe('echo\nparsed\nthrown\nshaped\n')
  expect((await run('status')).stdout.match(/^broken: /gm)).toHaveLength(1)
})
