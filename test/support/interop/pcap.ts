import { concat, utf8 } from '../../../src/wire/index.ts'

/*
 * What went over a connection, as a capture file (libpcap format, link type RAW), with IPv4 and TCP headers
 * made up around it: it needs no permission to capture, and nothing but our connection is in it.
 */

export interface Packet {
  readonly from: 'client' | 'server'
  readonly bytes: Uint8Array
}

/** Ports of a conversation. The server's is one that analysers take for HTTPS. */
const SERVER_PORT = 443
const HEADERS = 40
/** Of payload, so that the total length fits into 16 bits. */
const SEGMENT = 16_000

/** @param connections the packets of each, in order */
export function pcapOf(connections: readonly (readonly Packet[])[]): Uint8Array {
  const head = new DataView(new ArrayBuffer(24))
  head.setUint32(0, 0xa1b2c3d4)
  head.setUint16(4, 2)
  head.setUint16(6, 4)
  head.setUint32(16, 65_535)
  head.setUint32(20, 101) // LINKTYPE_RAW
  const parts: Uint8Array[] = [new Uint8Array(head.buffer)]
  let time = 0
  connections.forEach((packets, index) => {
    const port = 40_000 + index
    const next = { client: 1, server: 1 }
    const add = (from: Packet['from'], flags: number, payload: Uint8Array): void => {
      const other = from === 'client' ? 'server' : 'client'
      const syn = (flags & SYN) !== 0
      const sequence = next[from] - (syn ? 1 : 0)
      parts.push(frame(from, port, sequence, next[other], flags, payload, time++))
      next[from] += payload.length
    }
    add('client', SYN, NOTHING)
    add('server', SYN | ACK, NOTHING)
    add('client', ACK, NOTHING)
    for (const { from, bytes } of packets) {
      for (let at = 0; at < bytes.length; at += SEGMENT) {
        add(from, ACK | PSH, bytes.subarray(at, at + SEGMENT))
      }
    }
  })
  return concat(...parts)
}

const SYN = 0x02
const PSH = 0x08
const ACK = 0x10
const NOTHING = utf8('')

function frame(
  from: Packet['from'],
  clientPort: number,
  sequence: number,
  acknowledged: number,
  flags: number,
  payload: Uint8Array,
  time: number,
): Uint8Array {
  const length = HEADERS + payload.length
  const view = new DataView(new ArrayBuffer(16 + HEADERS))
  view.setUint32(0, Math.floor(time / 1000)) // of the record: seconds, microseconds, lengths
  view.setUint32(4, (time % 1000) * 1000)
  view.setUint32(8, length)
  view.setUint32(12, length)
  view.setUint8(16, 0x45) // IPv4, checksums left zero: analysers do not check them unless asked to
  view.setUint16(18, length)
  view.setUint8(24, 64)
  view.setUint8(25, 6)
  const client = 0x0a000001
  const server = 0x0a000002
  view.setUint32(28, from === 'client' ? client : server)
  view.setUint32(32, from === 'client' ? server : client)
  view.setUint16(36, from === 'client' ? clientPort : SERVER_PORT)
  view.setUint16(38, from === 'client' ? SERVER_PORT : clientPort)
  view.setUint32(40, sequence)
  view.setUint32(44, (flags & ACK) === 0 ? 0 : acknowledged)
  view.setUint8(48, 0x50)
  view.setUint8(49, flags)
  view.setUint16(50, 65_535)
  return concat(new Uint8Array(view.buffer), payload)
}
