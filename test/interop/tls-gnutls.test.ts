import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { FENCED_PORT, type Fenced, NO_FENCE, startFenced } from '../support/interop/fenced.ts'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import {
  type Abilities,
  finiteFields,
  KINDS,
  nameIn,
  PATHS,
  type Row,
  sameNames,
} from '../support/interop/matrix.ts'
import { checkServer, ourClientGoesThrough, serverFor } from '../support/interop/our-side.ts'
import { noteOf, Program, versionOf } from '../support/interop/program.ts'
import { testRows } from '../support/interop/rows.ts'

const GNUTLS = versionOf('gnutls-cli')
const NOTE = noteOf(GNUTLS, 'gnutls-cli', 'gnutls-bin')

/** It can do everything. */
const abilities: Abilities = {
  suites: {
    TLS_AES_128_GCM_SHA256: 'AES-128-GCM',
    TLS_AES_256_GCM_SHA384: 'AES-256-GCM',
    TLS_CHACHA20_POLY1305_SHA256: 'CHACHA20-POLY1305',
  },
  groups: {
    x25519: 'GROUP-X25519',
    secp256r1: 'GROUP-SECP256R1',
    secp384r1: 'GROUP-SECP384R1',
    secp521r1: 'GROUP-SECP521R1',
    x448: 'GROUP-X448',
  },
  certificates: sameNames(KINDS),
  paths: sameNames(PATHS),
}

const fields = finiteFields({
  ffdhe2048: 'GROUP-FFDHE2048',
  ffdhe3072: 'GROUP-FFDHE3072',
  ffdhe4096: 'GROUP-FFDHE4096',
  ffdhe6144: 'GROUP-FFDHE6144',
  ffdhe8192: 'GROUP-FFDHE8192',
})
const names = { ...abilities.groups, ...fields.groups }

/** TLS 1.3 alone, with one suite and these groups. */
function priority({ suite }: Row, groups: readonly string[]): string {
  const list = groups.map(group => `+${group}`).join(':')
  return `NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+${nameIn(abilities.suites, suite)}:-GROUP-ALL:${list}`
}

let identities: Identities
const running: Program[] = []

beforeAll(async () => {
  if (GNUTLS !== undefined) identities = await makeIdentities()
})
afterAll(async () => {
  for (const one of running) await one.kill()
  identities?.remove()
})

describe.skipIf(GNUTLS === undefined)(`the client of ${NOTE} and our server`, () => {
  const go = async (row: Row): Promise<void> => {
    const server = await serverFor(identities, row)
    const host = `${row.certificate}.local`
    const group = nameIn(names, row.group)
    const other = row.group === 'x25519' ? 'GROUP-SECP256R1' : 'GROUP-X25519'
    const groups = row.path === 'HelloRetryRequest' ? [other, group] : [group]
    const early = join(identities.directory, 'early.txt')
    writeFileSync(early, 'early potato\n')
    const client = new Program('gnutls-cli', [
      ...['--port', String(server.port), '--x509cafile', identities.caFile],
      ...['--sni-hostname', host, '--verify-hostname', host, '--priority', priority(row, groups)],
      '--single-key-share',
      ...(row.path === 'resumption' ? ['--resume', '--waitresumption'] : []),
      ...(row.path === 'early data' ? ['--resume', '--waitresumption', '--earlydata', early] : []),
      ...(row.path === 'client certificate'
        ? [
            '--x509certfile',
            identities.file('person', 'crt'),
            '--x509keyfile',
            identities.file('person', 'key'),
          ]
        : []),
      '127.0.0.1',
    ])
    running.push(client)
    await client.says('Simple Client Mode')
    if (row.path === 'early data') await client.says(/^early potato$/m)
    await client.type('first potato\n').says(/^first potato$/m)
    await client.type('second potato\n').says(/^second potato$/m)
    client.endInput()
    expect(await client.exitInTime()).toBe(0)
    server.close()
    checkServer(row, server)
  }
  testRows(abilities, go)
  testRows(fields, go)
})

const NO_SERVER = NO_FENCE ?? (GNUTLS === undefined ? NOTE : undefined)
describe.skipIf(NO_SERVER !== undefined)(`our client and the server of ${NO_SERVER ?? NOTE}`, () => {
  const servers = new Map<string, Promise<Fenced>>()
  afterAll(async () => {
    for (const one of servers.values()) await (await one).stop()
  })
  const start = (row: Row): Promise<Fenced> =>
    startFenced('gnutls-serv', [
      ...['--echo', '--port', String(FENCED_PORT)],
      ...['--x509certfile', identities.file(row.certificate, 'crt')],
      ...['--x509keyfile', identities.file(row.certificate, 'key')],
      ...['--priority', 'NORMAL:-VERS-ALL:+VERS-TLS1.3', '--earlydata', '--maxearlydata', '1000'],
      ...(row.path === 'client certificate'
        ? ['--require-client-cert', '--verify-client-cert', '--x509cafile', identities.caFile]
        : ['--disable-client-cert']),
    ])
  const go = async (row: Row): Promise<void> => {
    const key = `${row.certificate} ${row.path === 'client certificate'}`
    if (!servers.has(key)) servers.set(key, start(row))
    const { path } = await servers.get(key)!
    await ourClientGoesThrough(
      identities,
      row,
      { path },
      {
        say: 'potato\n',
        hear: 'potato\n',
        // It opens what came early, or it could not go on, but says nothing of it.
        gotEarly: async () => {},
      },
    )
  }
  testRows(abilities, go)
  testRows(fields, go)
})
