import { keyLogLine } from '../tls13/key-log.ts'
import type { ExposedSecret } from '../tls13/key-schedule.ts'
import { concat, EMPTY, encode, fixed, opaque, struct, uint8, uint16, uint32, utf8 } from '../wire/index.ts'
import type { Side } from './event.ts'

/*
 * What went over a connection, as a file that Wireshark opens (pcapng, draft-ietf-opsawg-pcapng): with IPv4
 * and TCP headers made up around it, so that no permission is needed to capture anything, and with the
 * secrets in it (Decryption Secrets Block), so that it is opened decrypted.
 */

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const ENHANCED_PACKET = 6
const DECRYPTION_SECRETS = 10

const SectionHeader = struct('SectionHeader', {
  /** By which readers see that numbers are big-endian here. */
  magic: uint32,
  major: uint16,
  minor: uint16,
  /** All ones: not said. */
  length: fixed(8),
})
const InterfaceDescription = struct('InterfaceDescription', {
  /** 101: each packet begins with its IP header. */
  linkType: uint16,
  reserved: uint16,
  /** Bytes of a packet at most; 0: no limit. */
  limit: uint32,
})
const PacketHead = struct('PacketHead', {
  interface: uint32,
  /** Microseconds since 1970, in two halves. */
  high: uint32,
  low: uint32,
  captured: uint32,
  original: uint32,
})
const Secrets = struct('Secrets', {
  /** `TLSK`: a key log as NSS writes it. */
  type: uint32,
  log: opaque(0, 2 ** 32 - 1),
})

/** IPv4 (RFC 791 §3.1) and TCP (RFC 9293 §3.1) without options; sums stay zero, which analysers let pass. */
const Headers = struct('Headers', {
  version: uint8,
  service: uint8,
  length: uint16,
  identification: uint32,
  timeToLive: uint8,
  protocol: uint8,
  headerSum: uint16,
  source: uint32,
  destination: uint32,
  sourcePort: uint16,
  destinationPort: uint16,
  sequence: uint32,
  acknowledged: uint32,
  offset: uint8,
  flags: uint8,
  window: uint16,
  sum: uint16,
  urgent: uint16,
})

const SYN = 0x02
const PSH = 0x08
const ACK = 0x10

/** Addresses of 10.0.0.0/8, and ports; the server's is one that analysers take for HTTPS. */
const ADDRESS: Readonly<Record<Side, number>> = { client: 0x0a000001, server: 0x0a000002 }
const SERVER_PORT = 443
const FIRST_PORT = 40_000
/** Bytes of one packet, so that its length fits into 16 bits. */
const SEGMENT = 16_000
/** Bytes that are kept at most; what comes then is left out. */
const MOST = 64 * 2 ** 20

interface Said {
  readonly connection: number
  readonly side: Side
  readonly bytes: Uint8Array
  readonly at: number
}

/** Connections of one program, as they go on, and then as a file. */
export class Capture {
  readonly #said: Said[] = []
  readonly #log: string[] = []
  #connections = 0
  #length = 0
  /** Bytes that there was no room for. */
  leftOut = 0

  /** Another connection begins. @returns its number */
  open(): number {
    return this.#connections++
  }

  /** What one side has sent. It is copied. @param at milliseconds since 1970 */
  bytes(connection: number, side: Side, bytes: Uint8Array, at: number): void {
    if (this.#length + bytes.length > MOST) {
      this.leftOut += bytes.length
      return
    }
    this.#length += bytes.length
    this.#said.push({ connection, side, bytes: bytes.slice(), at })
  }

  /** A secret of one of them, as a session's `onSecret` gives it. */
  secret(exposed: ExposedSecret, clientRandom: Uint8Array): void {
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) this.keyLog(line)
  }

  /** The same, as a line of a key log. */
  keyLog(line: string): void {
    this.#log.push(`${line}\n`)
  }

  /** The file. Who has it can read the connections. */
  file(): Uint8Array {
    const header = { magic: 0x1a2b3c4d, major: 1, minor: 0, length: new Uint8Array(8).fill(0xff) }
    const described = { linkType: 101, reserved: 0, limit: 0 }
    const secrets = { type: 0x544c534b, log: utf8(this.#log.join('')) }
    return concat(
      block(SECTION_HEADER, encode(SectionHeader, header)),
      block(INTERFACE_DESCRIPTION, encode(InterfaceDescription, described)),
      // Before the packets that they open.
      ...(this.#log.length === 0 ? [] : [block(DECRYPTION_SECRETS, encode(Secrets, secrets))]),
      ...Array.from({ length: this.#connections }, (_, number) => this.#packets(number)).flat(),
    )
  }

  #packets(number: number): Uint8Array[] {
    const said = this.#said.filter(({ connection }) => connection === number)
    const [first] = said
    if (first === undefined) return []
    const flow = new Flow(FIRST_PORT + number)
    return [
      flow.packet('client', SYN, EMPTY, first.at),
      flow.packet('server', SYN | ACK, EMPTY, first.at),
      flow.packet('client', ACK, EMPTY, first.at),
      ...said.flatMap(({ side, bytes, at }) =>
        pieces(bytes).map(piece => flow.packet(side, ACK | PSH, piece, at)),
      ),
    ]
  }
}

/** One TCP connection, as far as it is made up. */
class Flow {
  readonly #ports: Readonly<Record<Side, number>>
  readonly #next: Record<Side, number> = { client: 1, server: 1 }

  constructor(clientPort: number) {
    this.#ports = { client: clientPort, server: SERVER_PORT }
  }

  packet(side: Side, flags: number, payload: Uint8Array, at: number): Uint8Array {
    const other = side === 'client' ? 'server' : 'client'
    const headers = encode(Headers, {
      ...{ version: 0x45, service: 0, length: 40 + payload.length, identification: 0 },
      ...{ timeToLive: 64, protocol: 6, headerSum: 0, source: ADDRESS[side], destination: ADDRESS[other] },
      ...{ sourcePort: this.#ports[side], destinationPort: this.#ports[other] },
      // The SYN has a number of its own, before all bytes.
      sequence: (flags & SYN) === 0 ? this.#next[side] : 0,
      acknowledged: (flags & ACK) === 0 ? 0 : this.#next[other],
      ...{ offset: 0x50, flags, window: 65_535, sum: 0, urgent: 0 },
    })
    this.#next[side] = (this.#next[side] + payload.length) % 2 ** 32
    const { length } = payload
    const micro = Math.round(at * 1000)
    const head = encode(PacketHead, {
      interface: 0,
      high: Math.floor(micro / 2 ** 32),
      low: micro % 2 ** 32,
      captured: 40 + length,
      original: 40 + length,
    })
    return block(ENHANCED_PACKET, concat(head, headers, payload))
  }
}

function pieces(bytes: Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += SEGMENT) all.push(bytes.subarray(at, at + SEGMENT))
  return all
}

/** A block: its type and its length before it, its length behind it, and zeros up to four bytes. */
function block(type: number, body: Uint8Array): Uint8Array {
  const padding = new Uint8Array((4 - (body.length % 4)) % 4)
  const length = encode(uint32, 12 + body.length + padding.length)
  return concat(encode(uint32, type), length, body, padding, length)
}
