import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { hotpotato, MAIN, makeDirectory, Platform } from '../support/platform.ts'
import { run } from '../support/programs.ts'

const FUNCTION = `
import { readFileSync } from 'node:fs'
export default {
  fetch(request, env, ctx) {
    const { secrets } = ctx
    const attempt = name => { try { return secrets.get(name) } catch (error) { return error.message } }
    return Response.json({
      names: secrets.names,
      directory: secrets.directory,
      token: attempt('token'),
      other: attempt('other'),
      up: attempt('../token'),
      file: readFileSync(process.env.secret_mount_path + '/token', 'utf8'),
      environment: process.env,
    })
  },
}
`
const CONFIG = `
version: 1
gateway: { defaultFunction: keeper }
secretsDirectory: secrets
functions:
  keeper: { handler: ./keeper.mjs, secrets: [token] }
  echo: {}
`
/** Nothing else on the machine says so. */
const FIRST = `first-${process.pid}-8c1f`
const SECOND = `second-${process.pid}-77aa`

let directory: string
let platform: Platform
const secret = (words: readonly string[], input = '') =>
  run(process.execPath, [MAIN, 'secret', ...words, '--config', join(directory, 'hotpotato.yml')], input)

beforeAll(async () => {
  directory = await makeDirectory(CONFIG, [
    { name: 'keeper', hosts: ['keeper.local'] },
    { name: 'echo', hosts: ['echo.local'] },
  ])
  await secret(['create', 'token'], `${FIRST}\n`)
  await secret(['create', 'other'], 'other')
  platform = await Platform.start({ directory, files: { 'keeper.mjs': FUNCTION } })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function ask() {
  const client = await Client.open({
    port: platform.https,
    tls: { ca: platform.ca, serverName: 'keeper.local' },
  })
  const answer = await client.request('/')
  await client.close()
  return JSON.parse(textOf(answer))
}

describe('secrets', () => {
  it('are given to the function that names them, as files, and to no other', async () => {
    const said = await ask()
    expect(said).toMatchObject({ names: ['token'], token: FIRST, file: FIRST })
    expect([said.other, said.up].every(one => one.startsWith('the function has no secret'))).toBe(true)
  })

  it('are in no environment, no command line, no status and no log', async () => {
    const said = await ask()
    expect(JSON.stringify(said.environment)).not.toContain(FIRST)
    const pids = [platform.child.pid!, ...(await platform.status()).map(({ pid }) => pid!)]
    for (const pid of pids)
      for (const file of ['environ', 'cmdline'])
        expect(readFileSync(`/proc/${pid}/${file}`, 'latin1')).not.toContain(FIRST)
    expect(JSON.stringify(await platform.status()) + platform.log).not.toContain(FIRST)
    expect((await secret(['list'])).stdout.toString()).toBe(
      'other  5 bytes\ntoken  '.concat(`${FIRST.length} bytes\n`),
    )
  })

  it('that change reach the function with the next deployment, and go with its container', async () => {
    const { directory: before } = await ask()
    expect((await secret(['update', 'token'], SECOND)).stdout.toString()).toBe(
      'updated token; named by keeper\n',
    )
    expect((await ask()).token).toBe(FIRST)
    expect((await hotpotato(directory, ['deploy', 'keeper'])).code).toBe(0)
    expect((await ask()).token).toBe(SECOND)
    expect(existsSync(before)).toBe(false)
  })

  it('that are not there are told with file and line before anything starts', async () => {
    await secret(['remove', 'token'])
    const { code, stderr } = await hotpotato(directory, ['up'], {
      HOTPOTATO_RUN_DIR: join(directory, 'other'),
    })
    expect(code).toBe(3)
    expect(stderr).toMatch(/hotpotato\.yml:6:.*the secret token is not in .*hotpotato secret create token/)
  })

  it('leave nothing in memory when the platform ends', async () => {
    const { directory: mounted } = await ask()
    await platform.stop()
    expect(existsSync(mounted)).toBe(false)
    const left = readdirSync('/dev/shm').filter(name =>
      name.startsWith(`hotpotato-secrets-${platform.child.pid}-`),
    )
    expect(left).toEqual([])
  })
})
