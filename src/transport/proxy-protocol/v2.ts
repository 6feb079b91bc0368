import { concat, equal, utf8 } from '../../wire/index.ts'
import type { Address } from '../listener.ts'
import { crc32c } from './crc32c.ts'
import { type ProxyHeader, ProxyProtocolError, type Tlv, TlvType } from './header.ts'
import { formatIp, parseIp } from './ip.ts'

/** What version 2 begins with. */
export const SIGNATURE: Uint8Array = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10)

/** Bytes before the addresses. */
export const FIXED = 16

/** Family and protocol in one byte, and bytes of one address. */
const FAMILIES = {
  unknown: { code: 0x00, bytes: 0 },
  tcp4: { code: 0x11, bytes: 4 },
  udp4: { code: 0x12, bytes: 4 },
  tcp6: { code: 0x21, bytes: 16 },
  udp6: { code: 0x22, bytes: 16 },
  'unix-stream': { code: 0x31, bytes: 108 },
  'unix-datagram': { code: 0x32, bytes: 108 },
} as const
type Family = keyof typeof FAMILIES

const NOTHING = { source: undefined, destination: undefined, tlvs: [] } as const

/** Bytes of the longest unique id (§2.2.5). */
const UNIQUE_ID = 128

/**
 * @param bytes a whole header, the signature included
 * @throws ProxyProtocolError for what breaks the specification (§2.2), and for a checksum that does not fit
 */
export function parseV2(bytes: Uint8Array): ProxyHeader {
  const [byte = 0, code = 0] = bytes.subarray(12)
  if (byte >> 4 !== 2) throw new ProxyProtocolError(`version ${byte >> 4}`)
  const command = (['local', 'proxy'] as const)[byte & 15]
  if (command === undefined) throw new ProxyProtocolError(`command ${byte & 15}`)
  const family = (Object.keys(FAMILIES) as Family[]).find(name => FAMILIES[name].code === code)
  // A proxy may speak for itself in words that we do not know; all of it is left out then.
  if (command === 'local') return { version: 2, command, family: family ?? 'unknown', ...NOTHING }
  if (family === undefined) throw new ProxyProtocolError(`family and protocol 0x${code.toString(16)}`)
  const length = FAMILIES[family].bytes
  const ports = length === 4 || length === 16 ? 4 : 0
  const at = FIXED + 2 * length + ports
  if (bytes.length < at) throw new ProxyProtocolError('addresses that are not whole')
  const tlvs = readTlvs(bytes.subarray(at))
  checkTlvs(bytes, at, tlvs)
  if (family === 'unknown')
    return { version: 2, command, family, source: undefined, destination: undefined, tlvs }
  const addresses = [0, 1].map(index => {
    const address = bytes.subarray(FIXED + index * length, FIXED + (index + 1) * length)
    if (ports === 0) return { path: pathOf(address) }
    const portAt = FIXED + 2 * length + 2 * index
    return { address: formatIp(address), port: (bytes[portAt]! << 8) | bytes[portAt + 1]! }
  })
  return { version: 2, command, family, source: addresses[0], destination: addresses[1], tlvs }
}

/** @throws TypeError for addresses that are none of that family, and for more than 65535 bytes */
export function writeV2(header: ProxyHeader, checksum = false): Uint8Array {
  const { family, source, destination } = header
  // It is the proxy's own connection, of which there is nothing more to say.
  if (header.command === 'local') return concat(SIGNATURE, Uint8Array.of(0x20, 0, 0, 0))
  const { code, bytes: length } = FAMILIES[family]
  const addresses = [addressBytes(source, length), addressBytes(destination, length)]
  const ports = length === 4 || length === 16 ? [portBytes(source), portBytes(destination)] : []
  const own = checksum ? [{ type: TlvType.crc32c, value: new Uint8Array(4) }] : []
  const said = concat(...addresses, ...ports)
  const rest = concat(said, ...[...own, ...header.tlvs].map(writeTlv))
  if (rest.length > 0xffff) throw new TypeError('PROXY protocol: more than 65535 bytes')
  const whole = concat(SIGNATURE, Uint8Array.of(0x21, code, rest.length >> 8, rest.length & 0xff), rest)
  const checksumAt = FIXED + said.length + 3
  if (checksum) new DataView(whole.buffer, whole.byteOffset).setUint32(checksumAt, crc32c(whole))
  return whole
}

/** TLVs within the value of another one, as of `ssl` behind its first 5 bytes. @throws ProxyProtocolError */
export function readTlvs(bytes: Uint8Array): readonly Tlv[] {
  const tlvs: Tlv[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = (bytes[at + 1]! << 8) | bytes[at + 2]!
    const end = at + 3 + length
    if (at + 3 > bytes.length || end > bytes.length) throw new ProxyProtocolError('a TLV that is not whole')
    if (bytes[at] !== TlvType.noop) tlvs.push({ type: bytes[at]!, value: bytes.slice(at + 3, end) })
    at = end
  }
  return tlvs
}

function checkTlvs(bytes: Uint8Array, start: number, tlvs: readonly Tlv[]): void {
  for (const { type, value } of tlvs) {
    if (type === TlvType.uniqueId && value.length > UNIQUE_ID)
      throw new ProxyProtocolError(`a unique id of ${value.length} bytes`)
    if (type !== TlvType.crc32c) continue
    if (value.length !== 4) throw new ProxyProtocolError('a checksum that is not 4 bytes')
    // §2.2.3: over all of the header, with zeros in place of itself.
    const copy = bytes.slice()
    const at = placeOfChecksum(bytes, start)
    copy.fill(0, at, at + 4)
    if (crc32c(copy) !== new DataView(value.buffer, value.byteOffset).getUint32(0))
      throw new ProxyProtocolError('a checksum that does not fit')
  }
}

function placeOfChecksum(bytes: Uint8Array, start: number): number {
  let at = start
  while (bytes[at] !== TlvType.crc32c) at += 3 + ((bytes[at + 1]! << 8) | bytes[at + 2]!)
  return at + 3
}

function writeTlv({ type, value }: Tlv): Uint8Array {
  if (value.length > 0xffff || !(type >= 0 && type <= 255)) throw new TypeError(`PROXY protocol: TLV ${type}`)
  return concat(Uint8Array.of(type, value.length >> 8, value.length & 0xff), value)
}

function addressBytes(address: Address | undefined, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0)
  if (length === 108) {
    const path = utf8(address?.path ?? '')
    if (path.length > length) throw new TypeError(`PROXY protocol: a path of ${path.length} bytes`)
    return concat(path, new Uint8Array(length - path.length))
  }
  const bytes = parseIp(address?.address ?? '')
  if (bytes?.length !== length)
    throw new TypeError(`PROXY protocol: no address of that family: ${address?.address}`)
  return bytes
}

function portBytes(address: Address | undefined): Uint8Array {
  const port = address?.port
  if (port === undefined || !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new TypeError(`PROXY protocol: no port: ${port}`)
  return Uint8Array.of(port >> 8, port & 0xff)
}

/** Up to the first zero; an abstract name begins with one and keeps it. */
function pathOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0, 1)
  const length = bytes[0] === 0 && end === 1 ? 0 : end < 0 ? bytes.length : end
  return new TextDecoder().decode(bytes.subarray(0, length))
}

/** Whether bytes are, or begin, the signature. */
export function isSignature(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, SIGNATURE.length)
  return equal(bytes.subarray(0, length), SIGNATURE.subarray(0, length))
}
