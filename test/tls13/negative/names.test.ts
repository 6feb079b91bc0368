import { EMPTY, fromHex, utf8 } from '../../../src/wire/index.ts'
import { NO_HOST_NAMES, shown } from '../../support/names.ts'
import { withBytes, withValue } from '../../support/reshape.ts'
import { encrypted, hello, type Reshaped, refusedByClients, refusedByServers } from './refusals.ts'

/* What may not be wrong with server names (RFC 6066) and protocol names (RFC 7301). */

const serverName = (name: string) =>
  hello(m => withValue(m, 'CH', 'server_name', [{ nameType: 0, hostName: utf8(name) }]))

refusedByServers([
  [
    'RFC 7301 §3.2',
    'no_application_protocol',
    'no_common_protocol',
    'no protocol of ours in ALPN',
    hello(m => withValue(m, 'CH', 'application_layer_protocol_negotiation', [utf8('spdy/1')])),
    { origin: 'configuration', subject: () => ({ alpn: ['h2', 'http/1.1'] }) },
  ],
  [
    'RFC 7301 §3.1',
    'decode_error',
    'malformed_extension',
    'an empty list in ALPN',
    hello(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0000'))),
  ],
  [
    'RFC 7301 §3.1',
    'decode_error',
    'malformed_extension',
    'an empty name in ALPN',
    hello(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0004' + '026832' + '00'))),
  ],
  [
    'RFC 6066 §3',
    'unrecognized_name',
    'unknown_server_name',
    'a server name that is not ours',
    hello(m => m),
    { origin: 'configuration', subject: () => ({ recognizes: name => name !== 'echo.local' }) },
  ],
  [
    'RFC 6066 §3',
    'decode_error',
    'malformed_extension',
    'an empty server_name',
    hello(m => withBytes(m, 'server_name', EMPTY)),
  ],
  [
    'RFC 6066 §3',
    'decode_error',
    'malformed_extension',
    'an empty list of server names',
    hello(m => withBytes(m, 'server_name', fromHex('0000'))),
  ],
  [
    'RFC 6066 §3',
    'decode_error',
    'malformed_extension',
    'an empty host name',
    hello(m => withBytes(m, 'server_name', fromHex('0003000000'))),
  ],
  [
    'RFC 6066 §3',
    'illegal_parameter',
    'several_host_names',
    'two host names',
    hello(m => {
      const name = { nameType: 0, hostName: utf8('echo.local') }
      return withValue(m, 'CH', 'server_name', [name, name])
    }),
  ],
  ...NO_HOST_NAMES.map(
    (name): Reshaped => [
      'RFC 6066 §3',
      'unrecognized_name',
      'unknown_server_name',
      `a server name that is no host name, ${shown(name)}, where names are looked at`,
      serverName(name),
      { origin: 'configuration', subject: () => ({ recognizes: () => true }) },
    ],
  ),
])

refusedByClients([
  [
    'RFC 6066 §3',
    'decode_error',
    'malformed_extension',
    'server_name with content in EncryptedExtensions',
    encrypted(m => withBytes(m, 'server_name', fromHex('00'))),
  ],
  [
    'RFC 7301 §3.1',
    'unsupported_extension',
    'unrequested_extension',
    'ALPN that was not offered',
    encrypted(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0003026832'))),
  ],
  [
    'RFC 7301 §3.1',
    'illegal_parameter',
    'protocol_not_offered',
    'a protocol that was not offered',
    encrypted(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0003026832'))),
    { subject: () => ({ alpn: ['http/1.1'] }) },
  ],
  [
    'RFC 7301 §3.1',
    'illegal_parameter',
    'protocol_not_offered',
    'two protocols',
    encrypted(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0006026832026832'))),
    { subject: () => ({ alpn: ['h2'] }) },
  ],
])
