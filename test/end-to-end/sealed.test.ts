import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identitiesOf, newIdentity } from '../../src/sealed/age.ts'
import { readBundle } from '../../src/sealed/bundle.ts'
import { hex } from '../../src/wire/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { eventually, hotpotato, MAIN, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'
import { seeded } from '../support/random.ts'
import { lacking } from './isolation/levels.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const CURL = isInstalled('curl', ['--version'])

/** Nothing else on the machine says so. */
const CLEAR = `recipe ${hex(seeded(7)(16))}`
const VAULT = `
const RECIPE = '${CLEAR}'
export default {
  async fetch(request, env, ctx) {
    const body = await request.text()
    if (ctx.functionPath === '/throw') throw new Error('thrown')
    if (ctx.functionPath === '/exit') process.exit(3)
    if (ctx.functionPath === '/long') return new Response('x'.repeat(3_000_000))
    if (ctx.functionPath === '/echo') return new Response(body)
    if (ctx.functionPath === '/count') {
      const count = 1 + Number(new TextDecoder().decode(await ctx.store.get('visits of anna')))
      await ctx.store.set('visits of anna', String(count))
      return new Response(String(count))
    }
    const { pid, env: variables } = process
    const key = request.headers.get('x-hotpotato-key')
    return Response.json({ recipe: RECIPE, body, key, pid, variables, path: ctx.functionPath })
  },
}
`
const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
connection: { requests: 1000, timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: {}
  vault: { sealed: { bundle: vault.potato }, environment: { COOK: anna }, hosts: [vault.local] }
`

let directory: string
let platform: Platform
let identity: string
let dataKey: string

beforeAll(async () => {
  const names = ['echo', 'vault'].map(name => ({ name, hosts: [`${name}.local`, `*.${name}.local`] }))
  directory = await makeDirectory(CONFIG, names)
  const made = await newIdentity()
  identity = `age-identity ${made.identity}`
  writeFileSync(join(directory, 'vault.mjs'), VAULT)
  const words = ['seal', 'vault.mjs', '--recipient', made.recipient, '--release', '1.0', '--show-key']
  const sealed = await run(process.execPath, [MAIN, ...words], '', { cwd: directory })
  expect(sealed.stderr).toBe('')
  dataKey = /^x-hotpotato-key: (data-key \S+)$/m.exec(sealed.stdout.toString())![1]!
  rmSync(join(directory, 'vault.mjs'))
  platform = await Platform.start({ directory })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = (serverName = 'vault.local'): Promise<Client> =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

/** One request on a connection of its own. */
async function ask(path: string, key?: string, { host = 'vault.local', body = '' } = {}) {
  const client = await open(host)
  const headers = key === undefined ? [] : [['X-Hotpotato-Key', key] as const]
  const answer = await client.request(path, { method: 'POST', headers, body: Buffer.from(body) })
  await client.close()
  return answer
}

describe('a sealed function', () => {
  it.each(['data key', 'identity'])('answers a request that brings the %s', async kind => {
    const answer = await ask('/made', kind === 'identity' ? identity : dataKey, { body: 'potatoes' })
    expect(answer.status, textOf(answer)).toBe(200)
    const said = JSON.parse(textOf(answer))
    expect(said).toMatchObject({ recipe: CLEAR, body: 'potatoes', path: '/made', key: null })
    expect(said.variables).toEqual({ COOK: 'anna', NODE_ENV: 'production' })
  })

  it('runs in a process that is gone after the request', async () => {
    const [one, other] = [await ask('/', dataKey), await ask('/', dataKey)].map(
      answer => JSON.parse(textOf(answer)) as { pid: number },
    )
    expect(one!.pid).not.toBe(other!.pid)
    for (const { pid } of [one!, other!])
      await eventually(() => (isThere(pid) ? undefined : true), `the worker ${pid} has not ended`)
  })

  it('takes and gives more than fits into any window', async () => {
    const body = 'potato '.repeat(200_000)
    const answer = await ask('/echo', dataKey, { body })
    expect(Buffer.compare(answer.body, Buffer.from(body))).toBe(0)
    expect((await ask('/long', dataKey)).body.length).toBe(3_000_000)
  })

  it.each(['/throw', '/exit'])('that fails at %s is answered with 500, and works again', async path => {
    const answer = await ask(path, dataKey)
    expect([answer.status, field(answer, 'x-hotpotato-error')]).toEqual([500, 'function-failed'])
    expect((await ask('/', dataKey)).status).toBe(200)
  })

  it('gets connections with the key, and lets them go without it', async () => {
    const client = await open('echo.local')
    const get = (path: string, key?: string) =>
      client.request(path, { headers: key === undefined ? [] : [['x-hotpotato-key', key]] })
    expect((await get('/echo')).container).toBe('echo-1')
    const sealed = await get('/vault/secret', dataKey)
    expect([sealed.status, sealed.container, sealed.hops]).toEqual([200, 'vault-1', 1])
    expect((await get('/echo')).container).toBe('echo-1')
    const without = await get('/vault')
    expect([without.status, without.hops]).toEqual([401, 3])
    expect((await get('/vault', identity)).status).toBe(200)
    await client.close()
  })

  it.skipIf(!CURL)(`takes it over HTTP/2, as curl indexes it${missing(CURL, 'curl', 'curl')}`, async () => {
    const url = `https://echo.local:${platform.https}`
    const paths = ['/echo', '/vault/1', '/vault/2', '/echo', '/vault/3']
    const { stdout, stderr } = await run('curl', [
      ...['-sS', '--http2', '--cacert', platform.caFile, '-H', `x-hotpotato-key: ${dataKey}`],
      ...['--resolve', `echo.local:${platform.https}:127.0.0.1`],
      ...paths.flatMap(() => ['-o', '/dev/null']),
      ...['-w', '%{http_version} %{http_code} %{num_connects} %{header_json}\\n'],
      ...paths.map(path => url + path),
    ])
    const lines = stdout.toString().match(/^2 \d+ \d/gm)
    // Behind the function that is not sealed, the key that the client refers to is not there any more.
    expect(lines, stderr).toEqual(['2 200 1', '2 200 0', '2 200 0', '2 200 0', '2 421 0'])
    const hops = stdout.toString().match(/"x-hotpotato-hops":\["\d+/g)
    expect(hops?.map(one => one.split('"').at(-1))).toEqual(['0', '1', '1', '2', '3'])
  })

  it('does not show the key to functions that are not sealed', async () => {
    const answer = await ask('/echo', dataKey, { host: 'echo.local', body: 'x' })
    expect(answer.status).toBe(200)
    expect(textOf(answer) + JSON.stringify(answer.headers)).not.toContain(dataKey.slice(9))
  })

  it('keeps what it stores from one process to the next, sealed', async () => {
    const counts = [await ask('/count', dataKey), await ask('/count', identity)].map(textOf)
    expect(counts).toEqual(['1', '2'])
    const kept = join(directory, 'run', 'sealed', 'vault')
    const [name, ...others] = readdirSync(kept)
    expect([name, others]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), []])
    const file = join(kept, name!)
    const whole = readFileSync(file)
    expect([whole.length, statSync(file).mode & 0o777, statSync(kept).mode & 0o777]).toEqual([
      29, 0o600, 0o700,
    ])
    writeFileSync(file, whole.fill(1, 20, 21))
    expect((await ask('/count', dataKey)).status).toBe(500)
    rmSync(file)
    expect(textOf(await ask('/count', dataKey))).toBe('1')
  })

  it('leaves neither the key nor clear text in the log or in any file', () => {
    expect(filesWith(CLEAR, dataKey.slice(9), identity.slice(13))).toEqual([])
  })
})

const there = isInstalled('age', ['--version']) && isInstalled('age-keygen', ['--version'])
/** RsFaaS's own kind of function: text in, text out. */
const PYTHON = isInstalled('python3', ['--version'])
describe('from new to call', () => {
  const words = (...all: string[]) => run(process.execPath, [MAIN, ...all], '', { cwd: directory })
  const key = (): string => join(directory, 'key.txt')
  const greet =
    '  greet: { sealed: { bundle: greet.potato }, certificate: vault, hosts: [greet.vault.local] }\n'

  it(`works as docs/sealed-functions.md says${missing(there, 'age', 'age')}`, async () => {
    const keygen = there ? run('age-keygen', ['-o', key()]) : words('keygen', '--output', 'key.txt')
    expect((await keygen).code).toBe(0)
    const recipient = /public key: (age1\w+)/.exec(readFileSync(key(), 'utf8'))![1]!
    expect((await words('new', 'greet', '--config', 'other.yml')).code).toBe(0)
    expect((await words('seal', 'greet', '-r', recipient)).stdout.toString()).toMatch(/^greet\.potato: greet/)
    rmSync(join(directory, 'greet'), { recursive: true })
    writeFileSync(join(directory, 'hotpotato.yml'), CONFIG + greet)
    expect((await hotpotato(directory, ['reload'])).stderr).toBe('')
    const said = await ask('/', `age-identity ${identitiesOf(readFileSync(key(), 'utf8'))[0]}`, {
      host: 'greet.vault.local',
    })
    expect([said.status, textOf(said)]).toEqual([200, '{"hello":"world"}'])
    const invoked = await hotpotato(directory, ['invoke', 'greet', '--data', 'x', '--identity', key()])
    expect([invoked.code, invoked.stdout.trim()]).toEqual([0, '{"hello":"x"}'])
    const without = await hotpotato(directory, ['invoke', 'greet', '--data', 'x'])
    expect([without.code, without.stdout + without.stderr]).toEqual([
      1,
      expect.stringMatching(/key-missing.*is sealed: --identity or --key-file brings its key\n$/s),
    ])
    const both = ['invoke', 'greet', '--data', 'x', '--identity', key(), '--key-file', key()]
    expect(await hotpotato(directory, both)).toMatchObject({
      code: 2,
      stderr: 'either --identity or --key-file: one key is enough\n',
    })
    // A new version is sealed over the old one, and served when it is deployed.
    writeFileSync(join(directory, 'next.mjs'), "export default () => new Response('the next version')")
    const next = ['next.mjs', '-r', recipient, '--name', 'greet', '--output', 'greet.potato']
    expect((await words('seal', ...next)).code).toBe(0)
    rmSync(join(directory, 'next.mjs'))
    const call = () => hotpotato(directory, ['invoke', 'greet', '--data', 'x', '--identity', key()])
    expect((await call()).stdout.trim()).toBe('{"hello":"x"}')
    expect(await hotpotato(directory, ['deploy', 'greet'])).toMatchObject({ code: 0 })
    expect((await call()).stdout.trim()).toBe('the next version')
  })

  it.skipIf(!PYTHON)(`works with Python as well${missing(PYTHON, 'python3', 'python3')}`, async () => {
    const recipient = /public key: (age1\w+)/.exec(readFileSync(key(), 'utf8'))![1]!
    expect((await words('new', 'pydict', '--lang', 'python', '--config', 'other.yml')).code).toBe(0)
    const handler = readFileSync(join(EXAMPLES, 'python/pydict/handler.py'), 'utf8')
    writeFileSync(join(directory, 'pydict/handler.py'), `${handler}# ${CLEAR}\n`)
    const sealed = await words('seal', 'pydict', '-r', recipient)
    expect(sealed.stdout.toString()).toMatch(/^pydict\.potato: pydict, 1 file, .*\n.* lang: python3/)
    rmSync(join(directory, 'pydict'), { recursive: true })
    // Nothing of what lies beside its bundle is to be seen there, and what is hidden need not be there yet.
    const isolation = lacking('sandbox', undefined) === '' ? 'sandbox' : 'process'
    const pydict =
      `  pydict: { lang: python3, isolation: ${isolation}, sealed: { bundle: pydict.potato }, ` +
      'certificate: vault }\n'
    writeFileSync(join(directory, 'hotpotato.yml'), CONFIG + greet + pydict)
    expect((await hotpotato(directory, ['reload'])).stderr).toBe('')
    const invoked = await hotpotato(directory, ['invoke', 'pydict', '--data', 'sealed', '--identity', key()])
    expect([invoked.code, invoked.stdout]).toEqual([0, 'sealed: encrypted for one reader, and no other\n'])
    expect(filesWith(CLEAR)).toEqual([])
    const without = await hotpotato(directory, ['invoke', 'pydict', '--data', 'sealed'])
    expect([without.code, without.stdout + without.stderr]).toEqual([
      1,
      expect.stringContaining('key-missing'),
    ])
  })

  it.skipIf(!there)(`ends with a key that age itself unwraps${missing(there, 'age', 'age')}`, async () => {
    const { wrappedKey } = readBundle(new Uint8Array(readFileSync(join(directory, 'greet.potato'))))
    const { stdout } = await run('age', ['-d', '-i', key()], wrappedKey)
    const spelled = `data-key ${stdout.toString('base64url')}`
    expect((await ask('/', spelled, { host: 'greet.vault.local' })).status).toBe(200)
  })
})

describe('a request is refused', () => {
  it.each([undefined, ''])('with 401 that brings no key: %j', async key => {
    const answer = await ask('/', key)
    expect([answer.status, field(answer, 'www-authenticate')]).toEqual([401, 'Hotpotato-Key realm="vault"'])
  })

  it('with 403 that comes in clear, with the right key or without', async () => {
    const client = await Client.open({ port: platform.http })
    const headers = [['host', 'vault.local'] as const]
    const without = await client.request('/', { headers })
    const exposed = await client.request('/', { headers: [...headers, ['x-hotpotato-key', dataKey]] })
    expect([without.status, exposed.status]).toEqual([403, 403])
    expect(textOf(exposed)).toContain('was exposed')
    await client.close()
  })

  it('with 400 that brings two keys', async () => {
    const client = await open()
    const key = ['x-hotpotato-key', dataKey] as const
    expect((await client.request('/', { headers: [key, key] })).status).toBe(400)
    const over2 = await Http2Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'vault.local' },
    })
    const twice = await over2.request('/', { headers: [key, key], authority: 'vault.local' })
    expect([twice.status, textOf(twice)]).toEqual([400, expect.stringContaining('two fields')])
    expect((await over2.request('/', { headers: [key], authority: 'vault.local' })).status).toBe(200)
    await over2.close()
  })

  it('for a WebSocket as every other one: it is answered, without one', async () => {
    const client = await open()
    const asked = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    const headers = Object.entries({ ...asked, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' })
    const answer = await client.request('/', { headers: [...headers, ['x-hotpotato-key', dataKey]] })
    expect([answer.status, JSON.parse(textOf(answer)).key]).toEqual([200, null])
    expect((await client.request('/', { headers })).status).toBe(401)
    await client.close()
  })

  it('with 403 if the key is wrong, and with 429 if that goes on', async () => {
    const stranger = await newIdentity()
    const client = await open()
    const status = async (key: string): Promise<number> =>
      (await client.request('/', { headers: [['x-hotpotato-key', key]] })).status
    for (const wrong of [`age-identity ${stranger.identity}`, 'data-key AAAA', 'x'])
      expect(await status(wrong)).toBe(403)
    const statuses: number[] = []
    for (let i = 0; i < 30; i++) statuses.push(await status(`data-key ${'A'.repeat(43)}`))
    expect([...new Set(statuses)]).toEqual([403, 429])
    const limited = await client.request('/', { headers: [['x-hotpotato-key', dataKey]] })
    expect([limited.status, Number(field(limited, 'retry-after'))]).toEqual([429, expect.any(Number)])
    await client.close()
  })
})

/** Files of the platform, logs included, that have one of those words. */
function filesWith(...words: readonly string[]): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(one => one.isFile())
    .map(one => join(one.parentPath, one.name))
    .filter(file => {
      const content = readFileSync(file, 'latin1')
      return words.some(word => content.includes(word))
    })
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
