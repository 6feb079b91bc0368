import { afterAll, beforeAll, describe, expect } from 'vitest'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import { type Abilities, cannot, KINDS, nameIn, PATHS, SUITES, sameNames } from '../support/interop/matrix.ts'
import { checkServer, serverFor } from '../support/interop/our-side.ts'
import { noteOf, Program, versionOf } from '../support/interop/program.ts'
import { testRows } from '../support/interop/rows.ts'

const CURL = versionOf('curl')
/** Its options for suites and groups are those of its OpenSSL. */
const OURS = CURL?.includes('OpenSSL') === true
const NOTE = CURL === undefined || OURS ? noteOf(CURL, 'curl', 'curl') : `SKIPPED: no OpenSSL in ${CURL}`

const abilities: Abilities = {
  suites: sameNames(SUITES),
  groups: { x25519: 'X25519', secp256r1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521', x448: 'X448' },
  certificates: sameNames(KINDS),
  paths: {
    ...sameNames(PATHS),
    'early data': cannot('curl has early data from 8.11 on, with GnuTLS first'),
  },
}

let identities: Identities
beforeAll(async () => {
  if (OURS) identities = await makeIdentities()
})
afterAll(() => identities?.remove())

describe.skipIf(!OURS)(`${NOTE.split(' ').slice(0, 2).join(' ')} and our server`, () => {
  testRows(abilities, async row => {
    const server = await serverFor(identities, row)
    const group = nameIn(abilities.groups, row.group)
    const other = row.group === 'x25519' ? 'P-256' : 'X25519'
    const origin = `${row.certificate}.local:${server.port}`
    const curl = new Program('curl', [
      ...['--silent', '--show-error', '--cacert', identities.caFile, '--resolve', `${origin}:127.0.0.1`],
      ...['--tlsv1.3', '--tls13-ciphers', row.suite],
      ...['--curves', row.path === 'HelloRetryRequest' ? `${other}:${group}` : group],
      ...(row.path === 'client certificate'
        ? ['--cert', identities.file('person', 'crt'), '--key', identities.file('person', 'key')]
        : []),
      // Two requests over one connection.
      ...[`https://${origin}/${row.path === 'resumption' ? 'close' : 'one'}`, `https://${origin}/two`],
    ])
    expect(await curl.exitInTime(), curl.output).toBe(0)
    expect(curl.output).toBe('potato\npotato\n')
    expect(server.seen).toHaveLength(row.path === 'resumption' ? 2 : 1)
    server.close()
    checkServer(row, server)
  })
})
