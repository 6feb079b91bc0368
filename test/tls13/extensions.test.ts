import { describe, expect, it } from 'vitest'
import { TLS13 } from '../../src/tls13/codepoints.ts'
import {
  asksForHost,
  EXTENSIONS,
  type ExtensionMessage,
  extensionTypes,
  hostName,
  readExtensions,
  writeExtensions,
} from '../../src/tls13/extensions.ts'
import { EMPTY, fromHex, utf8 } from '../../src/wire/index.ts'
import { alertOf } from '../support/alert.ts'
import { NO_HOST_NAMES, shown } from '../support/names.ts'

/**
 * The table of RFC 8446 §4.2, as it stands there, and record_size_limit of RFC 8449; numbers as IANA
 * has them.
 */
const TABLE: Readonly<Record<string, readonly [number, string]>> = {
  server_name: [0, 'CH, EE'],
  max_fragment_length: [1, 'CH, EE'],
  status_request: [5, 'CH, CR, CT'],
  supported_groups: [10, 'CH, EE'],
  signature_algorithms: [13, 'CH, CR'],
  use_srtp: [14, 'CH, EE'],
  heartbeat: [15, 'CH, EE'],
  application_layer_protocol_negotiation: [16, 'CH, EE'],
  signed_certificate_timestamp: [18, 'CH, CR, CT'],
  client_certificate_type: [19, 'CH, EE'],
  server_certificate_type: [20, 'CH, EE'],
  padding: [21, 'CH'],
  compress_certificate: [27, 'CH, CR'],
  record_size_limit: [28, 'CH, EE'],
  delegated_credential: [34, 'CH, CR, CT'],
  pre_shared_key: [41, 'CH, SH'],
  early_data: [42, 'CH, EE, NST'],
  supported_versions: [43, 'CH, SH, HRR'],
  cookie: [44, 'CH, HRR'],
  psk_key_exchange_modes: [45, 'CH'],
  certificate_authorities: [47, 'CH, CR'],
  oid_filters: [48, 'CR'],
  post_handshake_auth: [49, 'CH'],
  signature_algorithms_cert: [50, 'CH, CR'],
  key_share: [51, 'CH, SH, HRR'],
  tls_flags: [62, 'CH, SH, HRR, EE, CT, CR, NST'],
}
const MESSAGES: readonly ExtensionMessage[] = ['CH', 'SH', 'EE', 'CT', 'CR', 'NST', 'HRR']

/** A well-formed value of each extension that has a form of its own, by where it stands. */
const WELL_FORMED: Readonly<Record<string, Partial<Record<ExtensionMessage, string>>>> = {
  server_name: { CH: '0006000003612e62', EE: '' },
  status_request: { CT: '01000001aa' },
  signed_certificate_timestamp: { CH: '', CT: '00030001aa' },
  supported_groups: { CH: '0002001d', EE: '0002001d' },
  signature_algorithms: { CH: '00020807', CR: '00020807' },
  application_layer_protocol_negotiation: { CH: '0003026832', EE: '0003026832' },
  compress_certificate: { CH: '020001', CR: '020001' },
  record_size_limit: { CH: '4001', EE: '4001' },
  delegated_credential: { CH: '00020807', CR: '00020807' },
  certificate_authorities: { CH: '000400023000', CR: '000400023000' },
  pre_shared_key: { CH: `00070001aa00000000002120${'00'.repeat(32)}`, SH: '0000' },
  early_data: { CH: '', EE: '', NST: '00000400' },
  supported_versions: { CH: '020304', SH: '0304', HRR: '0304' },
  cookie: { CH: '0001aa', HRR: '0001aa' },
  psk_key_exchange_modes: { CH: '0101' },
  post_handshake_auth: { CH: '' },
  signature_algorithms_cert: { CH: '00020807', CR: '00020807' },
  key_share: { CH: '0006001d0002aabb', SH: '001d0002aabb', HRR: '001d' },
  tls_flags: { CH: '0101', EE: '0101' },
}

it('the table is that of RFC 8446 §4.2, with those of RFC 8879, RFC 9345 and a draft', () => {
  const ours = Object.entries(EXTENSIONS).map(([name, row]) => {
    const places = MESSAGES.filter(message => message in row.in)
    return [name, [row.type, places.sort().join(', ')]]
  })
  const theirs = Object.entries(TABLE).map(([name, [type, places]]) => [
    name,
    [type, places.split(', ').sort().join(', ')],
  ])
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs))
})

const rows = Object.entries(TABLE).flatMap(([name, [type, places]]) =>
  MESSAGES.map(message => ({ name, type, message, allowed: places.split(', ').includes(message) })),
)

describe('each extension in each message', () => {
  it.each(rows)('$name in $message', ({ name, type, message, allowed }) => {
    const extensionData = fromHex(WELL_FORMED[name]?.[message] ?? '00')
    const read = () => readExtensions(message, [{ extensionType: type, extensionData }])
    if (allowed) expect(Object.keys(read())).toEqual([name])
    else expect(alertOf(read)).toBe('illegal_parameter')
  })
})

const readable = Object.entries(WELL_FORMED).flatMap(([name, forms]) =>
  Object.entries(forms).map(([message, wire]) => ({ name, message: message as ExtensionMessage, wire })),
)

it.each(readable)(
  '$name in $message: what is read is written to the same bytes',
  ({ name, message, wire }) => {
    const { type: extensionType } = EXTENSIONS[name as keyof typeof EXTENSIONS]
    const list = [{ extensionType, extensionData: fromHex(wire) }]
    expect(writeExtensions(message, readExtensions(message, list))).toEqual(list)
  },
)

it.each(readable)(
  '$name in $message: cut and with bytes too many it is decode_error',
  ({ name, message, wire }) => {
    const { type: extensionType } = EXTENSIONS[name as keyof typeof EXTENSIONS]
    for (const data of [...prefixes(wire), `${wire}00`]) {
      const read = () => readExtensions(message, [{ extensionType, extensionData: fromHex(data) }])
      expect([data, alertOf(read)]).toEqual([data, 'decode_error'])
    }
  },
)

it('extensions are written in the order of the table, pre_shared_key last (§4.2.11)', () => {
  const list = writeExtensions('CH', {
    pre_shared_key: {
      identities: [{ identity: utf8('x'), obfuscatedTicketAge: 0 }],
      binders: [new Uint8Array(32)],
    },
    key_share: [],
    supported_versions: [TLS13],
    server_name: [{ nameType: 0, hostName: utf8('a.b') }],
  })
  expect(list.map(({ extensionType }) => extensionType)).toEqual([0, 43, 51, 41])
})

describe('unknown extensions', () => {
  const unknown = { extensionType: 0x1234, extensionData: fromHex('ff') }

  it.each(['CH', 'CR', 'NST'] as const)('are ignored in %s, which asks', message => {
    expect(readExtensions(message, [unknown])).toEqual({})
  })

  it.each(['SH', 'EE', 'CT', 'HRR'] as const)('are unsupported_extension in %s, which answers', message => {
    expect(alertOf(() => readExtensions(message, [unknown], new Set([43, 51])))).toBe('unsupported_extension')
  })

  it('are fine in an answer to a peer that asked for them', () => {
    expect(readExtensions('EE', [unknown], new Set([0x1234]))).toEqual({})
  })
})

it('a cookie is the one thing that a HelloRetryRequest may bring unasked (§4.2)', () => {
  const cookie = [{ extensionType: 44, extensionData: fromHex('0001aa') }]
  expect(readExtensions('HRR', cookie, new Set())).toEqual({ cookie: fromHex('aa') })
  const share = [{ extensionType: 51, extensionData: fromHex('001d') }]
  expect(alertOf(() => readExtensions('HRR', share, new Set()))).toBe('unsupported_extension')
})

it('numbers reserved by RFC 8701 were never asked for', () => {
  const list = [0x0a0a, 43, 0xfafa].map(extensionType => ({ extensionType, extensionData: EMPTY }))
  expect([...extensionTypes(list)]).toEqual([43])
})

describe('hostName', () => {
  const name = (text: string, nameType = 0) => ({ nameType, hostName: utf8(text) })

  const longest = `${'a.'.repeat(126)}a`

  it.each(['a', 'echo.local', 'ECHO.local', 'xn--gre-6ka8l.example', 'a_b.example', '127.0.0.1', longest])(
    'takes %s, and leaves out a dot behind it',
    text => {
      expect(hostName([name(text)])).toBe(text)
      expect(hostName([name(`${text}.`)])).toBe(text)
    },
  )

  it.each(NO_HOST_NAMES.map(one => [shown(one), one] as const))('takes %s for no name', (_, text) => {
    expect(hostName([name(text)])).toBeUndefined()
    expect(asksForHost([name(text)])).toBe(true)
  })

  it('overlooks names of other types', () => {
    expect(hostName([name('\0', 1), name('echo.local')])).toBe('echo.local')
    expect(hostName([name('x', 1)])).toBeUndefined()
    expect(hostName(undefined)).toBeUndefined()
    expect([asksForHost([name('x', 1)]), asksForHost(undefined)]).toEqual([false, false])
  })
})

function prefixes(wire: string): string[] {
  return Array.from({ length: wire.length / 2 }, (_, length) => wire.slice(0, 2 * length))
}
