import { createHmac } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { findInMemory } from '../support/memory-search.ts'
import { descendantsOf, hotpotato, MAIN, makeDirectory, Platform } from '../support/platform.ts'
import { run } from '../support/programs.ts'

const FUNCTION = `
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
export default {
  fetch(request, env, ctx) {
    const { secrets } = ctx
    if (ctx.functionPath === '/sign')
      return new Response(createHmac('sha256', secrets.get('token')).update('a').digest('hex'))
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
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  keeper: { handler: ./keeper.mjs, secrets: [token] }
  echo: {}
`
/** Nothing else on the machine says so. */
const FIRST = `first-${process.pid}-8c1f`
const SECOND = `second-${process.pid}-77aa`

let directory: string
let platform: Platform
const stackFile = (): string => join(directory, 'hotpotato.yml')
const secret = (words: readonly string[], input = '') =>
  run(process.execPath, [MAIN, 'secret', ...words, '--config', stackFile()], input)

beforeAll(async () => {
  directory = await makeDirectory(CONFIG, [
    { name: 'keeper', hosts: ['keeper.local'] },
    { name: 'echo', hosts: ['echo.local'] },
  ])
  await secret(['create', 'token'], `${FIRST}\n`)
  await secret(['create', 'other'], 'other')
  const environment = { HOTPOTATO_DUPLICATE: 'true' }
  platform = await Platform.start({ directory, environment, files: { 'keeper.mjs': FUNCTION } })
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

describe('hotpotato secret', () => {
  it.each<[string, readonly string[], string | Uint8Array, number, RegExp]>([
    [
      'a text',
      ['create', 'a', '--from-literal', 'x\n'],
      '',
      0,
      /^created a \(2 bytes\); no function names it/,
    ],
    [
      'a file',
      ['create', 'b', '--from-file', '/proc/self/comm'],
      '',
      0,
      /^created b \(\d+ bytes, without the/,
    ],
    ['bytes', ['create', 'c'], Uint8Array.of(0, 255, 10, 13, 10), 0, /^created c \(3 bytes, without the end/],
    ['all of them', ['create', 'd', '--exact'], 'x\n', 0, /^created d \(2 bytes\);/],
    ['what is there', ['create', 'a'], 'y', 1, /a is there already; hotpotato secret update a replaces it/],
    ['what is not there', ['update', 'z'], 'y', 1, /z is not there; hotpotato secret create z makes it/],
    ['nothing', ['create', 'e'], '\n', 1, /has 1 to 1048576 bytes, not none/],
    ['the most', ['create', 'f'], 'x'.repeat(1_048_576).concat('\n'), 0, /created f \(1048576 bytes, /],
    ['too much', ['create', 'g', '--from-file', '/dev/zero'], '', 1, /has 1 to 1048576 bytes, not more/],
    ['a path as a name', ['create', '../up'], 'y', 1, /"\.\.\/up" is no name of a secret/],
    ['a hidden name', ['create', '.git'], 'y', 1, /"\.git" is no name of a secret/],
    [
      'two sources',
      ['create', 'g', '--from-file', 'x', '--from-literal', 'y'],
      '',
      2,
      /either --from-file or/,
    ],
    ['a value to remove', ['remove', 'a', '--from-literal', 'x'], '', 2, /secret remove takes no value/],
    ['a name to list', ['list', 'a'], '', 2, /secret list takes no NAME, as a/],
    ['a directory', ['create', 'g', '--from-file', '/proc'], '', 1, /\/proc cannot be read \(EISDIR\)/],
    ['a name with dots', ['create', 'tls.key', '--json'], 'x\n', 0, /^\{"name":"tls.key","bytes":1,"cut":1,/],
  ])('takes %s, or says in one line why not', async (_, words, input, code, says) => {
    const ran = await run(process.execPath, [MAIN, 'secret', ...words, '--config', stackFile()], input)
    expect([ran.code, ran.stdout.toString() + ran.stderr]).toEqual([code, expect.stringMatching(says)])
    expect((ran.stdout.toString() + ran.stderr).trimEnd().split('\n')).toHaveLength(1)
  })

  it('keeps them for their owner alone, whatever umask there is', () => {
    const mode = (file: string): string =>
      (statSync(join(directory, 'secrets', file)).mode & 0o777).toString(8)
    expect(['', 'c', 'f', 'tls.key'].map(mode)).toEqual(['700', '600', '600', '600'])
    expect(readFileSync(join(directory, 'secrets', 'c'))).toEqual(Buffer.of(0, 255, 10))
    for (const name of ['a', 'b', 'c', 'd', 'f', 'tls.key']) rmSync(join(directory, 'secrets', name))
  })
})

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

  it('go nowhere with a connection, and no command, file or other process has them', async () => {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'keeper.local' },
    })
    const signed = createHmac('sha256', FIRST).update('a').digest('hex')
    for (let i = 0; i < 3; i++) {
      expect(textOf(await client.request('/keeper/sign'))).toBe(signed)
      expect((await client.request('/echo')).container).toBe('echo-1')
    }
    expect(textOf(await client.request('/keeper/sign'))).toBe(signed)
    const [connection] = JSON.parse(
      (await hotpotato(directory, ['status', '--connections', '--json'])).stdout,
    ).connections as { readonly id: string }[]
    const said = [
      ['move', connection!.id, 'echo-1'],
      ['status', '--json'],
      ['status', '--connections', '--json'],
      ['list', '--json'],
      ['describe', 'keeper', '--json'],
      ['config', 'print', '--resolved'],
      ['logs'],
      ['secret', 'list', '--json'],
      ['doctor'],
    ]
    for (const words of said) {
      const { stdout, stderr } = await hotpotato(directory, words)
      expect(stdout + stderr).not.toBe('')
      expect([words, (stdout + stderr).includes(FIRST)]).toEqual([words, false])
    }
    const files = readdirSync(join(directory, 'run'), { recursive: true, withFileTypes: true })
    const read = files.filter(one => one.isFile()).map(one => readFileSync(join(one.parentPath, one.name)))
    expect(read.length).toBeGreaterThan(0)
    expect(read.some(bytes => bytes.includes(FIRST))).toBe(false)
    const { pid } = await platform.member('keeper-1')
    const supervisor = platform.child.pid!
    const others = [supervisor, ...descendantsOf(supervisor)].filter(one => one !== pid)
    // The one that uses them shows that the search would find them.
    expect(findInMemory(pid!, Buffer.from(FIRST)).length).toBeGreaterThan(0)
    const names = new Map((await platform.status()).map(member => [member.pid, member.name]))
    for (const one of others) {
      const name = one === supervisor ? 'supervisor' : (names.get(one) ?? 'child')
      expect([name, findInMemory(one, Buffer.from(FIRST))]).toEqual([name, []])
      expect(readFileSync(`/proc/${one}/environ`, 'latin1')).not.toContain(FIRST)
    }
    await client.close()
  })

  it('that change reach the function with the next deployment, and go with its container', async () => {
    const { directory: before } = await ask()
    expect((await secret(['update', 'token'], SECOND)).stdout.toString()).toMatch(
      /^updated token \(\d+ bytes\); named by keeper; what runs has the old one until .*hotpotato reload/,
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
    expect(stderr).toMatch(/hotpotato\.yml:8:.*the secret token is not in .*hotpotato secret create token/)
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
