import { hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keyLogLine } from '../../src/tls13/key-log.ts'
import {
  type DerivedSecret,
  exportKeyingMaterial,
  hkdfExpand,
  hkdfExpandLabel,
  hkdfExtract,
  KEY_SCHEDULE,
  nextTrafficSecret,
} from '../../src/tls13/key-schedule.ts'
import { concat, EMPTY, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { providers } from '../support/providers.ts'
import { seeded } from '../support/random.ts'

/**
 * The arrows of RFC 8446 §7.1, and the one of RFC 9258 §5.2: label → secret it comes from,
 * and the last message that goes in.
 */
const ARROWS: Readonly<Record<string, readonly [string, string]>> = {
  'ext binder': ['early_secret', 'nothing'],
  'res binder': ['early_secret', 'nothing'],
  'imp binder': ['early_secret', 'nothing'],
  'c e traffic': ['early_secret', 'ClientHello'],
  'e exp master': ['early_secret', 'ClientHello'],
  'c hs traffic': ['handshake_secret', 'ServerHello'],
  's hs traffic': ['handshake_secret', 'ServerHello'],
  'c ap traffic': ['master_secret', 'server Finished'],
  's ap traffic': ['master_secret', 'server Finished'],
  'exp master': ['master_secret', 'server Finished'],
  'res master': ['master_secret', 'client Finished'],
}

/** Those of draft-ietf-tls-extended-key-update §7 and §10, by the names of their secrets. */
const UPDATED: Record<string, readonly [string, DerivedSecret['from'], DerivedSecret['upTo']]> = {
  exporter_secret_0: ['exporter eku', 'master_secret', 'server Finished'],
  client_application_traffic_secret_N: ['c ap traffic', 'master_secret_N', 'key_update_response'],
  server_application_traffic_secret_N: ['s ap traffic', 'master_secret_N', 'key_update_response'],
  exporter_secret_N: ['exp master', 'master_secret_N', 'key_update_response'],
}

it('the table has the arrows of extended key updates, and no others', () => {
  const rows = Object.entries(KEY_SCHEDULE).filter(([name]) => name in UPDATED)
  expect(
    Object.fromEntries(rows.map(([name, { label, from, upTo }]) => [name, [label, from, upTo]])),
  ).toEqual(UPDATED)
})

it('the table has the arrows of RFC 8446 §7.1, and no others', () => {
  const rows: readonly DerivedSecret[] = Object.entries(KEY_SCHEDULE).flatMap(([name, row]) =>
    name in UPDATED ? [] : [row],
  )
  expect(Object.fromEntries(rows.map(({ label, from, upTo }) => [label, [from, upTo]]))).toEqual(ARROWS)
})

const hashes = providers.flatMap(({ name, cipherSuites }) =>
  [cipherSuites[0]!, cipherSuites[1]!].map(({ hash }) => ({ title: `${name} ${hash.name}`, hash })),
)

describe.each(hashes)('$title', ({ hash }) => {
  const random = seeded(5)

  it('HKDF is that of RFC 5869, in as many blocks as it takes', () => {
    // Node 26 derives no key of 0 bytes; we do.
    expect(hkdfExpand(hash, random(hash.length), EMPTY, 0)).toEqual(EMPTY)
    for (const length of [
      1,
      hash.length - 1,
      hash.length,
      hash.length + 1,
      3 * hash.length,
      255 * hash.length,
    ]) {
      const [salt, key, info] = [random(13), random(40), random(20)]
      const ours = hkdfExpand(hash, hkdfExtract(hash, salt, key), info, length)
      expect([length, hex(ours)]).toEqual([
        length,
        hex(new Uint8Array(hkdfSync(hash.name, key, salt, info, length))),
      ])
    }
    expect(() => hkdfExpand(hash, random(hash.length), EMPTY, 255 * hash.length + 1)).toThrow(RangeError)
  })

  it('HKDF-Expand-Label puts length, label and context into the info (§7.1)', () => {
    const secret = random(hash.length)
    const context = random(7)
    const info = concat(fromHex('0010'), fromHex('0a'), utf8('tls13 test'), fromHex('07'), context)
    expect(hex(hkdfExpandLabel(hash, secret, 'test', context, 16))).toBe(
      hex(hkdfExpand(hash, secret, info, 16)),
    )
  })

  it('labels with and without a context do not meet in the cache', () => {
    const secret = random(hash.length)
    const outputs = [
      hkdfExpandLabel(hash, secret, 'a', EMPTY, 16),
      hkdfExpandLabel(hash, secret, 'a', EMPTY, 17).slice(0, 16),
      hkdfExpandLabel(hash, secret, 'a/16', EMPTY, 16),
      hkdfExpandLabel(hash, secret, 'a', fromHex('00'), 16),
    ].map(hex)
    expect(new Set(outputs).size).toBe(4)
    expect(hex(hkdfExpandLabel(hash, secret, 'a', EMPTY, 16))).toBe(outputs[0])
  })

  it('a label or a context that is too long is a RangeError', () => {
    const secret = random(hash.length)
    expect(() => hkdfExpandLabel(hash, secret, 'x'.repeat(250), EMPTY, 16)).toThrow(RangeError)
    expect(() => hkdfExpandLabel(hash, secret, 'x', new Uint8Array(256), 16)).toThrow(RangeError)
  })

  it('an exporter depends on label, context and length (§7.5)', () => {
    const secret = random(hash.length)
    const base = hex(exportKeyingMaterial(hash, secret, 'label', utf8('context'), 32))
    expect(hex(exportKeyingMaterial(hash, secret, 'label', utf8('context'), 32))).toBe(base)
    for (const other of [
      exportKeyingMaterial(hash, secret, 'other', utf8('context'), 32),
      exportKeyingMaterial(hash, secret, 'label', EMPTY, 32),
      exportKeyingMaterial(hash, secret, 'label', utf8('context'), 33).slice(0, 32),
      exportKeyingMaterial(hash, random(hash.length), 'label', utf8('context'), 32),
    ]) {
      expect(hex(other)).not.toBe(base)
    }
    expect(exportKeyingMaterial(hash, secret, 'label', EMPTY, 500).length).toBe(500)
  })

  it('the next traffic secret is another one of the same length (§7.2)', () => {
    const secret = random(hash.length)
    const next = nextTrafficSecret(hash, secret)
    expect(next.length).toBe(hash.length)
    expect(hex(next)).toBe(hex(hkdfExpandLabel(hash, secret, 'traffic upd', EMPTY, hash.length)))
  })
})

it('a key log has a line for the secrets that its readers know, and for no others', () => {
  const secret = fromHex('c0ffee')
  const clientRandom = fromHex('abcd')
  const line = (keyLog: string | undefined) =>
    keyLogLine({ name: 'master_secret', secret, keyLog }, clientRandom)
  expect(line('CLIENT_TRAFFIC_SECRET_0')).toBe('CLIENT_TRAFFIC_SECRET_0 abcd c0ffee')
  expect(line(undefined)).toBeUndefined()
  const logged = Object.values(KEY_SCHEDULE).flatMap((row: DerivedSecret) => row.keyLog ?? [])
  expect(logged.sort()).toEqual([
    'CLIENT_EARLY_TRAFFIC_SECRET',
    'CLIENT_HANDSHAKE_TRAFFIC_SECRET',
    'CLIENT_TRAFFIC_SECRET_0',
    'CLIENT_TRAFFIC_SECRET_N',
    'EARLY_EXPORTER_SECRET',
    'EXPORTER_SECRET',
    'EXPORTER_SECRET_N',
    'SERVER_HANDSHAKE_TRAFFIC_SECRET',
    'SERVER_TRAFFIC_SECRET_0',
    'SERVER_TRAFFIC_SECRET_N',
  ])
})
