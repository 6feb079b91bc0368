import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { FENCED_PORT, type Fenced, NO_FENCE, startFenced } from '../support/interop/fenced.ts'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import { type Abilities, cannot, nameIn, PATHS, type Row, sameNames } from '../support/interop/matrix.ts'
import { checkServer, ourClientGoesThrough, serverFor } from '../support/interop/our-side.ts'
import { noteOf, Program } from '../support/interop/program.ts'
import { testRows } from '../support/interop/rows.ts'
import { isInstalled } from '../support/programs.ts'

/* NSS, which is the TLS of Firefox, by the programs that its own tests use. */

// It does not say its version, and -h ends it with 1.
const TSTCLNT = isInstalled('tstclnt', ['-h']) ? 'NSS (tstclnt, selfserv)' : undefined
const NOTE = noteOf(TSTCLNT, 'tstclnt', 'libnss3-tools')

const abilities: Abilities = {
  suites: {
    TLS_AES_128_GCM_SHA256: ':1301',
    TLS_AES_256_GCM_SHA384: ':1302',
    TLS_CHACHA20_POLY1305_SHA256: ':1303',
  },
  groups: {
    x25519: 'x25519',
    secp256r1: 'P256',
    secp384r1: 'P384',
    secp521r1: 'P521',
    x448: cannot('NSS has no x448'),
  },
  certificates: {
    p256: 'p256',
    p384: 'p384',
    p521: 'p521',
    rsa: 'rsa',
    'rsa-pss': 'rsa-pss',
    ed25519: cannot('NSS makes and checks no EdDSA signatures in TLS'),
    ed448: cannot('NSS makes and checks no EdDSA signatures in TLS'),
  },
  paths: sameNames(PATHS),
}

/** As seen with 3.87: both are so with OpenSSL at the other end, too. */
const TWICE = 'tstclnt aborts with "free(): invalid pointer" when it is to connect twice (-L 2)'
const asClient: Abilities = {
  ...abilities,
  paths: { ...abilities.paths, resumption: cannot(TWICE), 'early data': cannot(TWICE) },
}
const asServer: Abilities = {
  ...abilities,
  paths: {
    ...abilities.paths,
    'early data': cannot('selfserv -Z offers it in tickets and refuses it always'),
  },
}

/** All that we have, too: those for keys of type id-RSASSA-PSS are not among its own choice. */
const SCHEMES = [
  'ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,ecdsa_secp521r1_sha512',
  'rsa_pss_rsae_sha256,rsa_pss_rsae_sha384,rsa_pss_pss_sha256',
].join(',')

let identities: Identities
/** The directory with its certificates and keys, as an argument. */
let database: string
const running: Program[] = []

beforeAll(async () => {
  if (TSTCLNT === undefined) return
  identities = await makeIdentities()
  const directory = join(identities.directory, 'nss')
  mkdirSync(directory)
  database = `sql:${directory}`
  run('certutil', '-N', '-d', database, '--empty-password')
  run('certutil', '-A', '-d', database, '-n', 'ca', '-t', 'CT,C,C', '-i', identities.caFile)
  for (const name of ['p256', 'p384', 'p521', 'rsa', 'rsa-pss', 'person'] as const) {
    run('pk12util', '-i', identities.pkcs12(name), '-d', database, '-W', 'potato')
  }
})
afterAll(async () => {
  for (const one of running) await one.kill()
  identities?.remove()
})

function run(command: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`)
}

describe.skipIf(TSTCLNT === undefined)(`the client of ${NOTE} and our server`, () => {
  testRows(asClient, async row => {
    const server = await serverFor(identities, row)
    const group = nameIn(abilities.groups, row.group)
    const other = row.group === 'x25519' ? 'P256' : 'x25519'
    const args = [
      ...['-h', '127.0.0.1', '-p', String(server.port), '-a', `${row.certificate}.local`, '-d', database],
      ...['-V', 'tls1.3:tls1.3', '-c', nameIn(abilities.suites, row.suite)],
      ...['-I', row.path === 'HelloRetryRequest' ? `${other},${group}` : group],
      ...(row.path === 'client certificate' ? ['-n', 'person'] : []),
      ...['-J', SCHEMES],
      // The verifier of these programs (not that of Firefox) wants keyEncipherment of RSA keys, which TLS 1.3
      // has no use for.
      ...(row.certificate.startsWith('rsa') ? ['-o'] : []),
    ]
    const client = new Program('tstclnt', args)
    running.push(client)
    await client.type('first potato\n').says(/first potato/)
    await client.type('second potato\n').says(/second potato/)
    checkServer(row, server)
    // It does not end with its input, whichever the server is.
    await client.kill()
    server.close()
  })
})

const NO_SERVER = NO_FENCE ?? (TSTCLNT === undefined ? NOTE : undefined)
describe.skipIf(NO_SERVER !== undefined)(`our client and the server of ${NO_SERVER ?? NOTE}`, () => {
  const servers = new Map<string, Promise<Fenced>>()
  afterAll(async () => {
    for (const one of servers.values()) await (await one).stop()
  })
  const start = (row: Row): Promise<Fenced> =>
    startFenced('selfserv', [
      ...[
        '-d',
        database,
        '-p',
        String(FENCED_PORT),
        '-V',
        'tls1.3:tls1.3',
        '-u',
        '-Z',
        '-I',
        'x25519,P256,P384,P521',
        '-J',
        SCHEMES,
      ],
      ...[row.certificate.startsWith('rsa') ? '-n' : '-e', row.certificate],
      ...(row.path === 'client certificate' ? ['-r', '-r'] : []),
    ])
  testRows(asServer, async row => {
    const key = `${row.certificate} ${row.path === 'client certificate'}`
    if (!servers.has(key)) servers.set(key, start(row))
    const { path } = await servers.get(key)!
    const talk = { say: 'GET / HTTP/1.0\r\n\r\n', hear: 'EOF', again: false }
    await ourClientGoesThrough(identities, row, { path }, talk)
  })
})
