import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { Context } from '../../src/functions/contract.ts'
import { launch } from '../../src/functions/sealed/launch.ts'
import { giveKey } from '../../src/functions/sealed/request-key.ts'
import { sealedFunction } from '../../src/functions/sealed/sealed-function.ts'
import { secretsIn } from '../../src/functions/secrets.ts'
import { toWebRequest } from '../../src/functions/web.ts'
import { writeArchive } from '../../src/sealed/archive.ts'
import { newDataKey, sealBundle } from '../../src/sealed/bundle.ts'
import { writeDataKey } from '../../src/sealed/credential.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { EMPTY, utf8 } from '../../src/wire/index.ts'

/** What a sealed function that turns against its platform tries: what it got, or why not. */
const TURNED = `
import { execSync } from 'node:child_process'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
const attempts = {
  'the memory of its container': () => fs.openSync('/proc/' + process.ppid + '/mem', 'r'),
  'the environment of its container': () => fs.readFileSync('/proc/' + process.ppid + '/environ'),
  'descriptors of its container': () => fs.readdirSync('/proc/' + process.ppid + '/fd'),
  'keys of certificates': () => fs.readFileSync(TARGET),
  'a file of its own': () => fs.writeFileSync(TARGET + '.copy', 'clear'),
  'a program': () => execSync('id').toString(),
  'a thread': () => new Worker('1', { eval: true }),
  'a native module': () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6'),
  'a package of the platform': () => import('koffi').then(() => 'loaded', error => { throw error }),
}
export default async request => {
  const said = {}
  const { env, argv } = process
  for (const [what, attempt] of Object.entries(attempts)) {
    try { said[what] = 'got ' + String(await attempt()).slice(0, 40) }
    catch (error) { said[what] = error.code ?? error.message }
  }
  return Response.json({ said, env: Object.keys(env), argv: argv.length, key: [...request.headers.keys()] })
}
`

const folder = mkdtempSync(join(tmpdir(), 'hotpotato-turned-'))
const target = join(folder, 'echo.key')
writeFileSync(target, 'a private key')
const dataKey = newDataKey(node)
const logged: string[] = []
const note = (...said: unknown[]): void => void logged.push(JSON.stringify(said))
const log = { debug: note, info: note, warn: note, error: note }
const entry = pathToFileURL(join(import.meta.dirname, '../../dist/src/containers/sealed/main.js'))

function functionOf(source: string) {
  const content = writeArchive({ entry: 'a.mjs', files: [{ path: 'a.mjs', content: utf8(source) }] })
  return sealedFunction({
    functionName: 'turned',
    file: 'turned.potato',
    bundle: sealBundle({ name: 'turned', version: '', content, dataKey, wrappedKey: EMPTY }, node),
    cacheMilliseconds: 0,
    timeout: 0,
    crypto: node,
    clock: SYSTEM_CLOCK,
    log,
    keeper: { load: async () => undefined, save: async () => {} },
    launch: () => launch(entry),
  })
}

async function ask(module: ReturnType<typeof functionOf>): Promise<Response> {
  const context = {
    functionName: 'turned',
    functionPath: '/',
    callId: 'one',
    functions: ['turned'],
    connection: { tls: true, hops: 0, requestIndex: 0, container: 'turned-1' },
    secrets: secretsIn(undefined),
    log,
  } as unknown as Context
  giveKey(context, utf8(writeDataKey(dataKey)))
  const head = {
    method: 'GET',
    target: '/',
    version: '1.1',
    headers: [],
    host: 'a',
    path: '/',
    query: '',
  } as const
  const request = toWebRequest(head, undefined, { scheme: 'https', authority: 'a' })
  if (module.kind !== 'fetch') throw new Error('a sealed function is asked by fetch')
  return module.fetch(request, { GREETING: 'hello' }, context)
}

afterAll(() => rmSync(folder, { recursive: true }))

describe('a sealed function that turns against its platform', () => {
  it('gets nothing of its container, of the disk, and no program', async () => {
    const module = functionOf(TURNED.replaceAll('TARGET', JSON.stringify(target)))
    const { said, env, key } = (await (await ask(module)).json()) as {
      said: Record<string, string>
      env: string[]
      key: string[]
    }
    module.stop()
    for (const [what, outcome] of Object.entries(said))
      expect([what, outcome.startsWith('got')]).toEqual([what, false])
    expect(Object.keys(said).length).toBe(9)
    expect([env.sort(), key]).toEqual([['GREETING', 'NODE_ENV'], ['x-call-id']])
    expect(readdirSync(folder)).toEqual(['echo.key'])
    expect(readFileSync(target, 'utf8')).toBe('a private key')
  })

  it('that says rubbish to its container ends itself alone', async () => {
    const rubbish = "import fs from 'node:fs'\nexport default () => { fs.writeSync(3, 'rubbish'.repeat(9)) }"
    const module = functionOf(rubbish)
    await expect(ask(module)).rejects.toThrow('the worker of the sealed function is gone')
    const fine = functionOf("export default () => new Response('fine')")
    expect(await (await ask(fine)).text()).toBe('fine')
    module.stop()
    fine.stop()
  })

  it('that never lets go is ended when its client is gone', async () => {
    const module = functionOf('export default () => { for (;;); }')
    const answer = ask(module)
    setTimeout(() => module.stop(), 1000)
    await expect(answer).rejects.toThrow('is gone')
  })
})
