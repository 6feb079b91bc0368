import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { eventually, makeDirectory, Platform } from '../support/platform.ts'

/* What is written while `up --watch` runs answers; connections stay. Each test goes on from the last. */

const CONFIG = `functions:
  a: { handler: ./a.mjs, environment: { WORD: one } }
`
const A =
  "import { sign } from './lib.mjs'\nexport default { fetch: (_, env) => new Response(env.WORD + sign) }\n"

let platform: Platform
let client: Client
/** What had been said when the test began. */
let before: number

const write = (name: string, text: string) => writeFileSync(join(platform.directory, name), text)
const ask = async () => textOf(await client.request('/'))

/** Waits until something is said that was not before. */
async function said(pattern: RegExp): Promise<void> {
  await eventually(
    () => (pattern.test(platform.welcome.slice(before)) ? true : undefined),
    `${pattern} is not said`,
  )
  before = platform.welcome.length
}

beforeAll(async () => {
  const directory = await makeDirectory(CONFIG, [{ name: 'a', hosts: ['a.local'] }])
  writeFileSync(join(directory, 'a.mjs'), A)
  writeFileSync(join(directory, 'lib.mjs'), "export const sign = '!'\n")
  platform = await Platform.start({ directory, args: ['--watch'] })
  before = platform.welcome.length
  client = await Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'a.local' } })
})
afterAll(() => platform?.stop())

it('a module that a handler imports', async () => {
  expect(await ask()).toBe('one!')
  write('lib.mjs', "export const sign = '?'\n")
  await said(/^a: \S*lib\.mjs changed, deployed anew, moved 1 connection$/m)
  expect(await ask()).toBe('one?')
})

it('a module that is saved while another command deploys its function', async () => {
  const deployed = platform.order('deploy a')
  await eventually(
    async () => ((await platform.status()).some(({ state }) => state === 'starting') ? true : undefined),
    'the deployment does not begin',
  )
  write('lib.mjs', "export const sign = '.'\n")
  expect(await deployed).toMatchObject({ started: [expect.stringMatching(/^a-/)] })
  await said(/^a: \S*lib\.mjs changed, deployed anew, moved 1 connection$/m)
  expect(await ask()).toBe('one.')
  write('lib.mjs', "export const sign = '?'\n")
  await said(/^a: \S*lib\.mjs changed, deployed anew, moved 1 connection$/m)
})

it('a handler that cannot be loaded, and one that can again', async () => {
  write('a.mjs', 'export default {{\n')
  await said(/^hotpotato: the new containers did not start; the old ones stay: .*a\.mjs cannot be loaded/m)
  expect(await ask()).toBe('one?')
  write('a.mjs', A.replace('sign)', "sign + '!')"))
  await said(/^a: \S*a\.mjs changed, deployed anew/m)
  expect(await ask()).toBe('one?!')
})

it('the stack file, and what it is waiting for', async () => {
  write('hotpotato.yml', CONFIG.replace('one', 'two'))
  await said(/^a: environment changed, deployed anew, moved 1 connection$/m)
  expect(await ask()).toBe('two?!')
  write('hotpotato.yml', `${CONFIG.replace('one', 'two')}  b: { handler: ./b.mjs }\n`)
  await said(/^hotpotato: \S+yml:3:17: functions\.b\.handler: \S+b\.mjs does not exist/m)
  write('b.mjs', 'export default () => new Response("b")\n')
  await said(/^b: added, started b-1$/m)
  expect(textOf(await client.request('/b'))).toBe('b')
  expect(await ask()).toBe('two?!')
})
