import { describe, expect, it } from 'vitest'
import { finishedVerifyData } from '../../src/tls13/authentication.ts'
import type { CipherSuite, CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import {
  type DerivedSecret,
  type DerivedSecretName,
  deriveSecret,
  earlySecret,
  HkdfLabel,
  handshakeSecret,
  hkdfExpandLabel,
  KEY_SCHEDULE,
  masterSecret,
  resumptionPsk,
  type SecretName,
  trafficKeys,
  walk,
} from '../../src/tls13/key-schedule.ts'
import { decodeHandshake, type MessageOf } from '../../src/tls13/messages.ts'
import { withoutBinders } from '../../src/tls13/psk.ts'
import { messageHash } from '../../src/tls13/transcript.ts'
import { suiteOf } from '../../src/tls13/transition.ts'
import { concat, decode, EMPTY, encode, hex, utf8 } from '../../src/wire/index.ts'
import { providers } from '../support/providers.ts'
import { script } from '../support/random.ts'
import { field, messages, records, type Step, steps, type Trace, trace, traces } from '../support/traces.ts'

/** RFC 8448 has no extended key update. */
type Extracted = Exclude<DerivedSecret['from'], 'master_secret_N'>
type OfHandshake = Exclude<DerivedSecret['upTo'], 'key_update_response'>
type Row = DerivedSecret & { readonly from: Extracted; readonly upTo: OfHandshake }
const ROWS = Object.entries(KEY_SCHEDULE).filter(
  ([, { from, label }]) => from !== 'master_secret_N' && label !== 'exporter eku',
) as [DerivedSecretName, Row][]

describe.each(providers)('$name', provider => {
  it.each(traces)('RFC 8448 §$section: $title', one => {
    const checked = checkTrace(one, provider)
    // each of these traces derives at least the ladder of §7.1 and the keys of both sides for both
    // epochs
    expect(EVERY_HANDSHAKE.filter(name => !checked.rows.includes(name))).toEqual([])
    expect(checked.steps).toBe(one.steps.filter(step => step.fields.length > 0 && isDerivation(step)).length)
  })

  it.each(traces)('RFC 8448 §$section: the key pairs and the secret they share', one => {
    const pairs = (actor: 'client' | 'server') =>
      steps(one, actor, 'create an ephemeral').map(step => ({
        group: provider.groups.find(
          ({ name }) => name === GROUPS[/ephemeral (\S+) key/.exec(step.action)![1]!],
        )!,
        privateKey: field(step, 'private key'),
        publicKey: field(step, 'public key'),
      }))
    const client = pairs('client')
    const server = pairs('server')
    for (const { group, privateKey, publicKey } of [...client, ...server]) {
      expect(group.generate(script(privateKey))).toEqual({ privateKey, keyExchange: publicKey })
    }
    const [extract] = steps(one, 'server', 'extract secret "handshake"')
    const shared = field(extract!, 'IKM')
    const { group, privateKey, publicKey } = client.at(-1)!
    expect(group.complete(privateKey, server[0]!.publicKey)).toEqual(shared)
    expect(group.respond(script(server[0]!.privateKey), publicKey)?.sharedSecret).toEqual(shared)
  })

  it('the traces visit every row of the table but the binder keys of external PSKs', () => {
    const rows = new Set(traces.flatMap(one => checkTrace(one, provider).rows))
    expect(ROWS.map(([name]) => name).filter(name => !rows.has(name))).toEqual([
      'ext_binder_key',
      'imp_binder_key',
    ])
  })
})

it('the PSK of the resumed trace is the one that the first trace generates', () => {
  const [generated] = steps(trace('simple-1rtt'), 'server', 'generate resumption secret')
  const [early] = steps(trace('resumed-0rtt'), 'client', 'extract secret "early"')
  expect(field(generated!, 'expanded')).toEqual(field(early!, 'IKM'))
})

/** The groups by the names that RFC 8448 uses. */
const GROUPS: Readonly<Record<string, string>> = { x25519: 'x25519', 'P-256': 'secp256r1' }

const EVERY_HANDSHAKE: readonly DerivedSecretName[] = [
  'client_handshake_traffic_secret',
  'server_handshake_traffic_secret',
  'client_application_traffic_secret_0',
  'server_application_traffic_secret_0',
  'exporter_master_secret',
  'resumption_master_secret',
]

function isDerivation({ action }: Step): boolean {
  return /^(extract|derive|calculate|generate)/.test(action)
}

/**
 * Recomputes each derivation of a trace from the trace's messages and private inputs, and compares with what
 * it prints.
 */
function checkTrace(one: Trace, provider: CryptoProvider): { rows: DerivedSecretName[]; steps: number } {
  const suite = suiteOf(provider, chosenSuite(one))
  const { hash } = suite
  const secrets = new Map<SecretName, Uint8Array>()
  const rows: DerivedSecretName[] = []
  const secret = (name: SecretName): Uint8Array => {
    const found = secrets.get(name)
    if (found === undefined) throw new Error(`${one.name} uses ${name} before it is there`)
    return found
  }
  const known = (prk: Uint8Array): SecretName => {
    const found = [...secrets].find(([, value]) => hex(value) === hex(prk))
    if (found === undefined) throw new Error(`${one.name} uses a secret that the ladder does not have`)
    return found[0]
  }
  let count = 0
  for (const step of one.steps) {
    if (!isDerivation(step) || step.fields.length === 0) continue
    count++
    const { action } = step
    const what = `${step.actor}: ${action}`
    if (action.startsWith('extract')) {
      const input = field(step, 'IKM')
      const name = `${/"(\w+)"/.exec(action)![1]}_secret` as Extracted
      const value = {
        early_secret: () => earlySecret(hash, input.some(byte => byte !== 0) ? input : undefined),
        handshake_secret: () => handshakeSecret(hash, secret('early_secret'), input),
        master_secret: () => masterSecret(hash, secret('handshake_secret')),
      }[name]()
      expect(hex(value), what).toBe(hex(field(step, 'secret')))
      secrets.set(name, value)
    } else if (/^derive secret for (handshake|master)/.test(action)) {
      // not a row: the step between two Extracts, which handshakeSecret and masterSecret take by themselves
      const base = secret(action.includes('handshake') ? 'early_secret' : 'handshake_secret')
      expect(hex(base), what).toBe(hex(field(step, 'PRK')))
      expect(hex(deriveSecret(hash, base, 'derived', hash.digest(EMPTY))), what).toBe(
        hex(field(step, 'expanded')),
      )
    } else if (action.startsWith('derive secret')) {
      const label = /"tls13 (.+)"/.exec(action)![1]
      const [name, row] = ROWS.find(([, { label: other }]) => other === label)!
      const transcriptHash = hash.digest(transcript(one, suite, row.upTo))
      expect(hex(secret(row.from)), what).toBe(hex(field(step, 'PRK')))
      expect(hex(transcriptHash), what).toBe(hex(field(step, 'hash')))
      const value = walk(hash, name, secret(row.from), transcriptHash)
      expect(hex(value), what).toBe(hex(field(step, 'expanded')))
      expectInfo(step, row.label, transcriptHash, hash.length)
      secrets.set(name, value)
      rows.push(name)
    } else if (/^derive (read|write) traffic keys/.test(action)) {
      const prk = field(step, 'PRK')
      expect(
        ROWS.some(([name]) => name === known(prk)),
        what,
      ).toBe(true)
      const { key, iv } = trafficKeys(hash, suite.aead, prk)
      expect([hex(key), hex(iv)], what).toEqual([
        hex(field(step, 'key expanded')),
        hex(field(step, 'iv expanded')),
      ])
    } else if (action.startsWith('calculate finished')) {
      const base = secret(`${step.actor}_handshake_traffic_secret`)
      expect(hex(base), what).toBe(hex(field(step, 'PRK')))
      expectFinishedKey(step, suite)
      const covered = transcript(
        one,
        suite,
        step.actor === 'server' ? 'before server Finished' : 'before client Finished',
      )
      expect(hex(finishedVerifyData(hash, base, hash.digest(covered))), what).toBe(
        hex(field(step, 'finished')),
      )
    } else if (action.startsWith('calculate PSK binder')) {
      const key = walk(hash, 'res_binder_key', secret(KEY_SCHEDULE.res_binder_key.from), hash.digest(EMPTY))
      rows.push('res_binder_key')
      expect(hex(key), what).toBe(hex(field(step, 'PRK')))
      expectFinishedKey(step, suite)
      const hello = records(one, 'client')[0]!.payload
      const prefix = withoutBinders(EMPTY, hello, [new Uint8Array(hash.length)])
      expect(hex(prefix), what).toBe(hex(field(step, 'ClientHello prefix')))
      expect(hex(hash.digest(prefix)), what).toBe(hex(field(step, 'binder hash')))
      expect(hex(finishedVerifyData(hash, key, hash.digest(prefix))), what).toBe(hex(field(step, 'finished')))
    } else if (action.startsWith('generate resumption secret')) {
      const [ticket] = messages(one, 'NewSessionTicket')
      const { ticketNonce } = decodeHandshake(ticket!) as MessageOf<'new_session_ticket'>
      expect(hex(secret('resumption_master_secret')), what).toBe(hex(field(step, 'PRK')))
      const psk = resumptionPsk(hash, secret('resumption_master_secret'), ticketNonce)
      expect(hex(psk), what).toBe(hex(field(step, 'expanded')))
    } else throw new Error(`${one.name}: no check for ${action}`)
  }
  return { rows, steps: count }
}

/** The `info` that a step prints is the HkdfLabel of our notation, and comes back from it. */
function expectInfo(step: Step, label: string, context: Uint8Array, length: number): void {
  const value = { length, label: utf8(`tls13 ${label}`), context }
  expect(hex(encode(HkdfLabel, value))).toBe(hex(field(step, 'info')))
  expect(decode(HkdfLabel, field(step, 'info'))).toEqual(value)
}

function expectFinishedKey(step: Step, { hash }: CipherSuite): void {
  expectInfo(step, 'finished', EMPTY, hash.length)
  const key = hkdfExpandLabel(hash, field(step, 'PRK'), 'finished', EMPTY, hash.length)
  expect(hex(key)).toBe(hex(field(step, 'expanded')))
}

function chosenSuite(one: Trace): number {
  const hello = decodeHandshake(messages(one, 'ServerHello').at(-1)!) as MessageOf<'server_hello'>
  return hello.cipherSuite
}

/** The transcript up to and with a message, or before one of the two Finished (§4.4.1). */
function transcript(
  one: Trace,
  { hash }: CipherSuite,
  upTo: OfHandshake | 'before server Finished' | 'before client Finished',
): Uint8Array {
  if (upTo === 'nothing') return EMPTY
  const hellos = steps(one, 'client', 'send handshake record').map(step => field(step, 'payload'))
  const retried = messages(one, 'ServerHello').length > 1
  const before = retried ? [messageHash(hash, hellos[0]!), messages(one, 'ServerHello')[0]!] : []
  const clientHello = hellos[retried ? 1 : 0]!
  const serverHello = messages(one, 'ServerHello').at(-1)!
  const middle = one.steps
    .filter(step => step.fields.length > 0 && /^construct an? /.test(step.action))
    .filter(step => !/ClientHello|ServerHello|NewSessionTicket/.test(step.action))
    .map(step => ({ step, bytes: step.fields[0] && field(step, step.fields[0].label) }))
  const finished = (actor: string): number =>
    middle.findIndex(({ step }) => step.actor === actor && step.action.includes('Finished'))
  const end = {
    ClientHello: -1,
    ServerHello: 0,
    'before server Finished': finished('server'),
    'server Finished': finished('server') + 1,
    'before client Finished': finished('client'),
    'client Finished': finished('client') + 1,
  }[upTo]
  const hello = end < 0 ? [clientHello] : [clientHello, serverHello]
  return concat(...before, ...hello, ...middle.slice(0, Math.max(0, end)).map(({ bytes }) => bytes!))
}
