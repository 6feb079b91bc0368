import { afterAll, beforeAll, describe, expect } from 'vitest'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import {
  type Abilities,
  ALL_GROUPS,
  cannot,
  KINDS,
  type Kind,
  PATHS,
  SUITES,
  sameNames,
} from '../support/interop/matrix.ts'
import { checkServer, ourClientGoesThrough, serverFor } from '../support/interop/our-side.ts'
import { noteOf, Program, versionOf } from '../support/interop/program.ts'
import { testRows } from '../support/interop/rows.ts'

/*
 * Python's ssl, which is OpenSSL behind another interface, with other habits. What OpenSSL does with each
 * pair of things is tried with its own programs.
 */

const PYTHON = versionOf('python3', [
  '-c',
  'import sys, ssl; print("Python", sys.version.split()[0], ssl.OPENSSL_VERSION)',
])
const NOTE = noteOf(PYTHON, 'python3', 'python3')
const PROGRAM = new URL('programs/peer.py', import.meta.url).pathname

const paths = {
  ...sameNames(PATHS),
  'early data': cannot("Python's ssl has no interface to early data"),
}
const common = { suites: sameNames(SUITES), certificates: sameNames(KINDS) }

/**
 * OpenSSL's names for what `set_ecdh_curve` takes; its default list begins with x25519 and has all of ours.
 */
const CURVES: Readonly<Record<string, string>> = {
  secp256r1: 'prime256v1',
  secp384r1: 'secp384r1',
  secp521r1: 'secp521r1',
}

const asClient: Abilities = {
  ...common,
  groups: sameNames(ALL_GROUPS),
  paths,
  except: ({ group, path }) => {
    if (path === 'HelloRetryRequest') return group === 'x25519' ? 'its share is always for x25519' : undefined
    return group === 'x448' && path === 'full handshake' ? 'set_ecdh_curve does not take X448' : undefined
  },
}
const asServer: Abilities = { ...common, groups: sameNames(ALL_GROUPS), paths }

let identities: Identities
const running: Program[] = []

beforeAll(async () => {
  if (PYTHON !== undefined) identities = await makeIdentities()
})
afterAll(async () => {
  for (const one of running) await one.kill()
  identities?.remove()
})

const python = (role: string, options: object): Program => {
  const one = new Program('python3', [PROGRAM, role, JSON.stringify(options)])
  running.push(one)
  return one
}
const person = () => ({ cert: identities.file('person', 'crt'), key: identities.file('person', 'key') })

describe.skipIf(PYTHON === undefined)(`the client of ${NOTE} and our server`, () => {
  testRows(asClient, async row => {
    const server = await serverFor(identities, row)
    const client = python('client', {
      port: server.port,
      host: `${row.certificate}.local`,
      ca: identities.caFile,
      connections: row.path === 'resumption' ? 2 : 1,
      ...(row.path !== 'HelloRetryRequest' && row.group in CURVES ? { curve: CURVES[row.group] } : {}),
      ...(row.path === 'client certificate' ? person() : {}),
    })
    const code = await client.exitInTime()
    server.close()
    expect([code, client.output.trim().split('\n').at(-1)]).toEqual([
      0,
      `${row.suite} ${row.path === 'resumption' ? 'reused' : 'new'}`,
    ])
    checkServer(row, server)
  })
})

describe.skipIf(PYTHON === undefined)(`our client and the server of ${NOTE}`, () => {
  const servers = new Map<string, Promise<number>>()
  const start = async (certificate: Kind, require: boolean): Promise<number> => {
    const identity = { cert: identities.file(certificate, 'crt'), key: identities.file(certificate, 'key') }
    const server = python('server', { ca: identities.caFile, ...identity, require })
    return Number((await server.says(/port (\d+)/))[1])
  }
  testRows(asServer, async row => {
    const require = row.path === 'client certificate'
    const key = `${row.certificate} ${require}`
    if (!servers.has(key)) servers.set(key, start(row.certificate, require))
    const talk = { say: 'hot potato\n', hear: 'hot potato\n' }
    await ourClientGoesThrough(identities, row, { port: await servers.get(key)! }, talk)
  })
})
