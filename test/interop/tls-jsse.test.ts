import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/tls13/io/net.ts'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import {
  type Abilities,
  ALL_GROUPS,
  cannot,
  KINDS,
  PATHS,
  type Row,
  SUITES,
  sameNames,
} from '../support/interop/matrix.ts'
import { checkServer, exactly, hears, ourClientGoesThrough, serverFor } from '../support/interop/our-side.ts'
import { noteOf, Program, versionOf } from '../support/interop/program.ts'
import { testRows } from '../support/interop/rows.ts'

/* JSSE, the TLS of Java; a program of one file, which needs a JDK to run from source. */

const JAVA = versionOf('java', ['-version'])
const COMPILES = spawnSync('java', ['--list-modules'], { encoding: 'utf8' }).stdout?.includes('jdk.compiler')
const JAVAC = COMPILES ? JAVA : undefined
const NOTE = noteOf(JAVAC && `JSSE of ${JAVAC}`, 'java with a compiler', 'default-jdk-headless')
const PROGRAM = new URL('programs/jsse/Peer.java', import.meta.url).pathname
/** From Java 20 on a program can say which groups to offer (SSLParameters.setNamedGroups). */
const NAMES_GROUPS = Number(JAVAC?.match(/(\d+)/)?.[1]) >= 20

const common = {
  suites: sameNames(SUITES),
  groups: sameNames(ALL_GROUPS),
  certificates: sameNames(KINDS),
  paths: { ...sameNames(PATHS), 'early data': cannot('JSSE has no early data') },
}

const asClient: Abilities = {
  ...common,
  except: ({ group, path }) => {
    if (NAMES_GROUPS) return undefined
    // By itself it sends shares for x25519 and secp256r1.
    const shared = group === 'x25519' || group === 'secp256r1'
    if (path === 'HelloRetryRequest' && shared) return 'it always sends that share, before Java 20'
    return path === 'full handshake' && !shared ? 'it never sends that share, before Java 20' : undefined
  },
}

let identities: Identities
let client: Program
let server: Program
const ports = new Map<string, number>()

beforeAll(async () => {
  if (JAVAC === undefined) return
  identities = await makeIdentities()
  const files = KINDS.map(kind => identities.pkcs12(kind))
  const start = (...args: string[]) =>
    new Program('java', ['-XX:TieredStopAtLevel=1', PROGRAM, args[0]!, identities.caFile, ...args.slice(1)])
  client = start('client', identities.pkcs12('person'))
  server = start('server', ...files)
  await server.says(/^ready/m)
  for (const [, key, port] of server.output.matchAll(/^port (\S+ \S+) (\d+)$/gm))
    ports.set(key!, Number(port))
  await client.says(/^ready/m)
})
afterAll(async () => {
  await client?.kill()
  await server?.kill()
  identities?.remove()
})

async function ask(port: number, row: Row, path: string): Promise<void> {
  const other = row.group === 'x25519' ? 'secp256r1' : 'x25519'
  const groups = row.path === 'HelloRetryRequest' ? `${other},${row.group}` : row.group
  const shows = row.path === 'client certificate' ? 'shows' : 'hides'
  client.type(
    `${port} ${row.certificate}.local ${row.suite} ${shows} ${path} ${NAMES_GROUPS ? groups : '-'}\n`,
  )
  const [said] = await client.says(/^(done|failed) .*$/m)
  expect(said).toBe(`done ${row.suite}`)
}

describe.skipIf(JAVAC === undefined)(`the client of ${NOTE} and our server`, () => {
  testRows(asClient, async row => {
    const ours = await serverFor(identities, row)
    await ask(ours.port, row, row.path.replace(' ', '-'))
    ours.close()
    checkServer(row, ours)
  })

  it('KeyUpdate of its own', async () => {
    const row: Row = { suite: SUITES[0], group: 'x25519', certificate: 'p256', path: 'full handshake' }
    const ours = await serverFor(identities, row)
    await ask(ours.port, row, 'rekey')
    ours.close()
    expect(ours.seen.at(-1)!.updates).toEqual([true])
  })
})

describe.skipIf(JAVAC === undefined)(`our client and the server of ${NOTE}`, () => {
  testRows(common, async row => {
    const port = ports.get(`${row.certificate} ${row.path === 'client certificate'}`)!
    await ourClientGoesThrough(identities, row, { port }, { say: 'hot potato\n', hear: 'hot potato\n' })
  })

  it('KeyUpdate of its own', async () => {
    const one = connect({
      host: '127.0.0.1',
      port: ports.get('p256 false')!,
      ca: identities.ca,
      serverName: 'p256.local',
      provider: exactly({ suite: SUITES[0], group: 'x25519' }),
    })
    const updates: boolean[] = []
    one.on('keyUpdate', requested => updates.push(requested))
    await once(one, 'secureConnect')
    const answer = hears(one, 'rekey\n')
    one.write('rekey\n')
    await answer
    expect(updates).toEqual([true])
    const next = hears(one, 'more\n')
    one.write('more\n')
    await next
    one.destroy()
  })
})
