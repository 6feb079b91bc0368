import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import {
  type Abilities,
  FINITE_FIELDS,
  finiteFields,
  KINDS,
  nameIn,
  PATHS,
  type Row,
  SUITES,
  sameNames,
} from '../support/interop/matrix.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import { checkServer, ourClientGoesThrough, serverFor } from '../support/interop/our-side.ts'
import { testRows } from '../support/interop/rows.ts'

/*
 * What the other tests with OpenSSL do not meet: P-521, X448, Ed448 and RSASSA-PSS keys, and every path with
 * each of them; and the groups over finite fields.
 */

/** It can do everything. */
const abilities: Abilities = {
  suites: sameNames(SUITES),
  groups: { x25519: 'X25519', secp256r1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521', x448: 'X448' },
  certificates: sameNames(KINDS),
  paths: sameNames(PATHS),
}

const fields = finiteFields(sameNames(FINITE_FIELDS))
const names = { ...abilities.groups, ...fields.groups }

let identities: Identities
const running: OpenSsl[] = []

beforeAll(async () => {
  if (OPENSSL !== undefined) identities = await makeIdentities()
})
afterAll(() => identities?.remove())
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill()
})

function openssl(...args: string[]): OpenSsl {
  const one = new OpenSsl(args)
  running.push(one)
  return one
}

describe.skipIf(OPENSSL === undefined)(`s_client of ${OPENSSL_NOTE} and our server`, () => {
  const go = async (row: Row): Promise<void> => {
    const server = await serverFor(identities, row)
    const group = nameIn(names, row.group)
    const other = row.group === 'x25519' ? 'P-256' : 'X25519'
    const host = `${row.certificate}.local`
    const args = [
      ...['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', host, '-verify_hostname', host],
      ...['-CAfile', identities.caFile, '-verify_return_error', '-ciphersuites', row.suite],
      ...['-groups', row.path === 'HelloRetryRequest' ? `${other}:${group}` : group],
      ...(row.path === 'client certificate'
        ? ['-cert', identities.file('person', 'crt'), '-key', identities.file('person', 'key')]
        : []),
    ]
    const resumed = row.path === 'resumption' || row.path === 'early data'
    const file = join(identities.directory, 'session')
    if (resumed) {
      const first = openssl(...args, '-sess_out', file)
      await first.type('zero potato\n').says(/zero potato$/m)
      expect(await first.type('Q\n').exitInTime()).toBe(0)
    }
    const early = join(identities.directory, 'early.txt')
    writeFileSync(early, 'early potato\n')
    const client = openssl(
      ...args,
      ...(resumed ? ['-sess_in', file] : []),
      ...(row.path === 'early data' ? ['-early_data', early] : []),
    )
    if (row.path === 'early data') await client.says('Early data was accepted')
    // Not always at the start of a line: what it prints of a ticket may stand before.
    await client.type('first potato\n').says(/first potato$/m)
    await client.type('second potato\n').says(/second potato$/m)
    expect(await client.type('Q\n').exitInTime()).toBe(0)
    server.close()
    checkServer(row, server)
  }
  testRows(abilities, go, 'in pairs')
  testRows(fields, go)
})

describe.skipIf(OPENSSL === undefined)(`our client and s_server of ${OPENSSL_NOTE}`, () => {
  const servers = new Map<string, Promise<{ one: OpenSsl; port: number }>>()
  afterAll(async () => {
    for (const server of servers.values()) await (await server).one.kill()
  })
  const start = async (row: Row) => {
    const one = new OpenSsl([
      ...['s_server', '-accept', '127.0.0.1:0', '-tls1_3', '-groups', Object.values(names).join(':')],
      ...['-cert', identities.file(row.certificate, 'crt'), '-key', identities.file(row.certificate, 'key')],
      ...(row.path === 'client certificate'
        ? ['-Verify', '2', '-verify_return_error', '-CAfile', identities.caFile]
        : []),
      ...(row.path === 'early data' ? ['-early_data', '-max_early_data', '1000'] : ['-rev']),
    ])
    const [, port] = await one.says(/ACCEPT 127\.0\.0\.1:(\d+)/)
    return { one, port: Number(port) }
  }
  const go = async (row: Row): Promise<void> => {
    const own = row.path === 'client certificate' || row.path === 'early data' ? row.path : ''
    const key = `${row.certificate} ${own}`
    if (!servers.has(key)) servers.set(key, start(row))
    const { one, port } = await servers.get(key)!
    if (row.path !== 'early data') {
      await ourClientGoesThrough(identities, row, { port }, { say: 'potato\n', hear: 'otatop\n' })
      return
    }
    // It does not turn lines around when it takes early data: we answer for it.
    const answer = async () => one.says(/^potato$/m).then(() => one.type('indeed\n'))
    const answers = [answer()]
    const gotEarly = async (): Promise<void> => {
      await one.says('early potato')
      answers.push(answer())
    }
    await ourClientGoesThrough(identities, row, { port }, { say: 'potato\n', hear: 'indeed\n', gotEarly })
    await Promise.all(answers)
  }
  testRows(abilities, go, 'in pairs')
  testRows(fields, go)
})
