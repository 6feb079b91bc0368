import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineRefusal, SERVER_NAME } from '../../bench/engines/engine.ts'
import { builtBy, commandOf, nonsenseIn } from '../../bench/engines/known.ts'
import { RunningEngine, readReady } from '../../bench/engines/running.ts'
import { Client } from '../../bench/migration/client.ts'
import { call } from '../../bench/migration/wanderer.ts'
import { makeIdentity } from '../../bench/rig/identity.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { probe } from '../../src/transfer/native/libc.ts'

const SUITE = 'TLS_AES_128_GCM_SHA256'
const there = probe().available && probeEvp().available
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-engines-'))
const [certificate, key] = ['certificate', 'key'].map(name => join(directory, name)) as [string, string]
let authority = ''

beforeAll(async () => {
  const identity = await makeIdentity(SERVER_NAME)
  writeFileSync(certificate, identity.certificate)
  writeFileSync(key, identity.key)
  authority = identity.authority
})
afterAll(() => rmSync(directory, { recursive: true }))

const compiled = (file: string): string => fileURLToPath(new URL(`../../dist/bench/${file}`, import.meta.url))
const start = (command: readonly string[], suite = SUITE) =>
  RunningEngine.start(command, { certificate, key, suite })

it.each([
  ['floor', undefined],
  ['wolfssl', undefined],
  ['sh engine.sh', undefined],
  [`${compiled('engines/tiny.js')} slowly`, undefined],
  ['flor', 'flor is neither an engine that is known here'],
  ['', 'neither an engine'],
  ['toString', 'neither an engine'],
  ['./there-is-none', './there-is-none is not there'],
  ['bench/engines/tiny.ts', 'cannot be run'],
])('a name for an engine, before anything is measured: %j', (name, nonsense) => {
  if (nonsense === undefined) expect(nonsenseIn(name)).toBeUndefined()
  else expect(nonsenseIn(name)).toContain(nonsense)
})

describe('engines of the bench', () => {
  const wolfssl = existsSync(builtBy('wolfssl'))
  const engines = [
    { name: 'tiny', is: true },
    { name: 'platform', is: true },
    { name: 'warm', is: true },
    { name: there ? 'floor' : 'floor (SKIPPED: foreign calls do not work here)', is: there },
    {
      name: wolfssl ? 'wolfssl' : 'wolfssl (SKIPPED: sh bench/engines/wolfssl/build.sh builds it)',
      is: wolfssl,
    },
  ]
  const present = engines.filter(({ is }) => is)
  const absent = engines.filter(({ is }) => !is)
  if (absent.length > 0) it.skip.each(absent)('$name', () => {})
  it.each(present)('$name: what stays and what moves is answered as it should be', async ({ name }) => {
    const engine = await start(commandOf(name))
    try {
      const { port, owners } = engine.ready
      const options = {
        port,
        serverName: SERVER_NAME,
        verify: verifier({ ca: authority }),
        suite: SUITE,
      } as const
      let number = 0
      for (let connection = 0; connection < 3; connection++) {
        let [at, hops] = [0, 0]
        const stay = () => call(owners[at]!.path, number++, owners[at]!.name, hops)
        const move = () => {
          at = 1 - at
          hops++
          return stay()
        }
        const { client } = await Client.open(options, stay())
        expect(client.cipherSuite).toBe(SUITE)
        const times = await client.measure([stay(), move(), move(), stay(), move(), stay(), stay(), move()])
        expect(times).toHaveLength(8)
        client.close()
      }
    } finally {
      await engine.stop()
    }
  })

  it('one that cannot is told apart from one that fails', async () => {
    await expect(start([join(directory, 'none')])).rejects.toThrow(EngineRefusal)
    const refusing = join(directory, 'refusing.mjs')
    writeFileSync(refusing, "console.error('only on Sundays'); process.exit(3)")
    await expect(start([refusing])).rejects.toThrow(new EngineRefusal('only on Sundays'))
    const failing = join(directory, 'failing.mjs')
    writeFileSync(failing, "console.error('oops'); process.exit(1)")
    await expect(start([failing])).rejects.toThrow(/ended \(1\) before it was ready: oops/)
  })

  it.skipIf(!there)('the floor knows one suite', async () => {
    await expect(start([compiled('floor/engine.js')], 'TLS_AES_256_GCM_SHA384')).rejects.toThrow(
      EngineRefusal,
    )
  })

  const owners = [
    { path: '/a', name: 'a' },
    { path: '/b', name: 'b' },
  ]
  it.each([
    ['no JSON', 'listening on 80'],
    ['no object', 'null'],
    ['no name `engine`', JSON.stringify({ port: 1, owners })],
    ['no `port`', JSON.stringify({ engine: 'x', port: 65_536, owners })],
    ['no two `owners`', JSON.stringify({ engine: 'x', port: 1, owners: owners.slice(1) })],
    [
      'no two `owners`',
      JSON.stringify({ engine: 'x', port: 1, owners: [...owners.slice(1), { path: 'a' }] }),
    ],
    ['no number of bytes `state`', JSON.stringify({ engine: 'x', port: 1, owners, state: -1 })],
  ])('%s in its first line', (what, line) => {
    expect(() => readReady(line, 'x')).toThrow(what)
  })

  it('the least that it can say', () => {
    expect(readReady(JSON.stringify({ engine: 'x', port: 1, owners }), 'x')).toEqual({
      engine: 'x',
      title: 'x',
      port: 1,
      owners,
    })
  })
})
