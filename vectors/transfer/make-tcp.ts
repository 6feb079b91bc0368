import { writeFileSync } from 'node:fs'
import { encodeTcpState, TCP_VERSION, type TcpState } from '../../src/transfer/tcp/state.ts'
import { hex, utf8 } from '../../src/wire/index.ts'

/**
 * Writes `tcp-v1.json`: TCP connections with fixed values, as JSON and as bytes. It was run once for version
 * 1: a run that gives other bytes means that the format has changed.
 */
const idle: TcpState = {
  formatVersion: TCP_VERSION,
  ends: { family: 'ipv4', local: Uint8Array.of(10, 77, 9, 1), remote: Uint8Array.of(10, 77, 0, 2) },
  localPort: 8443,
  remotePort: 40_001,
  segment: 1460,
  scales: { send: 7, receive: 7 },
  selective: true,
  timestamp: 0x01020304,
  window: { lastUpdate: 0x1111, send: 64_256, largest: 64_256, receive: 65_535, toldAt: 0x2222 },
  receiveNext: 0x2222,
  sendUnacknowledged: 0x3333,
  unread: new Uint8Array(0),
  sent: new Uint8Array(0),
  unsent: new Uint8Array(0),
}

const STATES: Record<string, TcpState> = {
  'an idle connection': idle,
  'a connection with full hands over IPv6': {
    ...idle,
    ends: {
      family: 'ipv6',
      local: Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfd : i)),
      remote: Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfd : 0xff - i)),
    },
    localPort: 65_535,
    remotePort: 1,
    segment: 65_535,
    scales: { send: 0, receive: 14 },
    timestamp: 0xffffffff,
    window: { lastUpdate: 0xffffffff, send: 0, largest: 65_535 * 2 ** 14, receive: 0, toldAt: 0xffffffff },
    receiveNext: 5,
    sendUnacknowledged: 0xfffffffe,
    unread: utf8('not read'),
    sent: utf8('sent'),
    unsent: utf8('not sent'),
  },
  'a connection without options': {
    ...idle,
    segment: 536,
    scales: undefined,
    selective: false,
    timestamp: undefined,
  },
}

const vectors = Object.entries(STATES).map(([name, state]) => ({
  name,
  state: JSON.parse(JSON.stringify(state, (_, value) => (value instanceof Uint8Array ? hex(value) : value))),
  bytes: hex(encodeTcpState(state)),
}))
writeFileSync(
  new URL('./tcp-v1.json', import.meta.url),
  `${JSON.stringify({ formatVersion: TCP_VERSION, vectors }, undefined, 2)}\n`,
)
