import type { Address } from '../listener.ts'

/** What a PROXY protocol header says: for whom a proxy has made a connection. */
export interface ProxyHeader {
  readonly version: 1 | 2
  /** `local`: the proxy itself, as for a health check; then the addresses are those of the connection. */
  readonly command: 'proxy' | 'local'
  /** `unknown`: the proxy does not say; undefined addresses. */
  readonly family: 'tcp4' | 'tcp6' | 'udp4' | 'udp6' | 'unix-stream' | 'unix-datagram' | 'unknown'
  /** The client. */
  readonly source: Address | undefined
  /** What it has connected to. */
  readonly destination: Address | undefined
  /** Version 2 alone. */
  readonly tlvs: readonly Tlv[]
}

/** One more thing that a proxy says, by its type. */
export interface Tlv {
  readonly type: number
  readonly value: Uint8Array
}

/** Types that the specification (§2.2) gives a meaning. */
export const TlvType = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  sslVersion: 0x21,
  sslCommonName: 0x22,
  sslCipher: 0x23,
  sslSignature: 0x24,
  sslKey: 0x25,
  netns: 0x30,
} as const

/** What is no header, or more than is taken. */
export class ProxyProtocolError extends Error {
  override readonly name = 'ProxyProtocolError'
}

/** The value of a TLV; undefined: there is none. */
export function tlv({ tlvs }: ProxyHeader, type: number): Uint8Array | undefined {
  return tlvs.find(one => one.type === type)?.value
}
