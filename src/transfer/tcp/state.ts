import {
  boolean,
  DecodeError,
  decode,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  secret,
  select,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
} from '../../wire/index.ts'

/** The number that a {@link TcpState} begins with. */
export const TCP_VERSION = 1
/** Bytes of each queue at most: about what Linux holds by default. A connection with more does not travel. */
export const QUEUE_LIMIT = 2 ** 22 - 1
/** Bytes of a segment: what Linux takes at least, and what the option of RFC 9293 §3.7.1 can say. */
const SEGMENT = { least: 88, most: 65_535 } as const
/** RFC 7323 §2.3. */
const LARGEST_SCALE = 14
/** No window that is scaled is larger (RFC 7323 §2.3). */
const LARGEST_WINDOW = 65_535 * 2 ** LARGEST_SCALE

/** Both addresses, in the order of the network. `local` is that of the server's end. */
export const TcpEnds = select('TcpEnds', 'family', enumeration('TcpFamily', uint8, { ipv4: 4, ipv6: 6 }), {
  ipv4: struct('Ipv4Ends', { local: fixed(4), remote: fixed(4) }),
  ipv6: struct('Ipv6Ends', { local: fixed(16), remote: fixed(16) }),
})

/** By how many bits each side's windows are shifted (RFC 7323 §2). */
const WindowScales = struct('WindowScales', { send: uint8, receive: uint8 })

/** What Linux knows of both windows: `struct tcp_repair_window`. */
const TcpWindow = struct('TcpWindow', {
  /** Of the segment that changed the peer's window last: SND.WL1. */
  lastUpdate: uint32,
  /** What the peer takes, in bytes: SND.WND. */
  send: uint32,
  /** The largest that it has ever taken. */
  largest: uint32,
  /** What the peer was told that we take, in bytes: RCV.WND. */
  receive: uint32,
  /** RCV.NXT when it was told so. */
  toldAt: uint32,
})

const queue = secret(opaque(0, QUEUE_LIMIT))

/**
 * A TCP connection of state ESTABLISHED, as one kernel gives it to another (RFC 9293 §3.3.1). It holds what
 * its peers have said, and the numbers by which either could be spoken for: it never travels bare.
 */
export const TcpState = struct('TcpState', {
  formatVersion: uint16,
  ends: TcpEnds,
  localPort: uint16,
  remotePort: uint16,
  /** Bytes of the largest segment that the peer takes. */
  segment: uint16,
  /** Absent: windows are not scaled. */
  scales: optional(WindowScales),
  /** RFC 2018. */
  selective: boolean,
  /** What our clock of timestamps said (RFC 7323 §3); absent: they are not sent. */
  timestamp: optional(uint32),
  window: TcpWindow,
  /** Of the next byte that the peer sends, behind `unread`: RCV.NXT. */
  receiveNext: uint32,
  /** Of the first byte that it has not acknowledged, where `sent` begins: SND.UNA. */
  sendUnacknowledged: uint32,
  /** What has come and was not read. */
  unread: queue,
  /** What has been sent and was not acknowledged. */
  sent: queue,
  /** What waits behind it, and has never been sent. */
  unsent: queue,
})
export type TcpState = TypeOf<typeof TcpState>

/** Bytes that are no connection, or none of ours. Nothing has been changed by trying. */
export class TcpStateError extends Error {
  override readonly name = 'TcpStateError'
  readonly reason: 'version' | 'malformed'

  constructor(reason: 'version' | 'malformed', message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** One state has one encoding. @throws RangeError what does not fit the notation */
export function encodeTcpState(state: TcpState): Uint8Array {
  return encode(TcpState, state)
}

/**
 * @throws TcpStateError `version` for a format that this program does not read, `malformed` for what is
 * truncated, left over, or can be said of no connection
 */
export function decodeTcpState(bytes: Uint8Array): TcpState {
  const version = bytes.length < 2 ? undefined : (bytes[0]! << 8) | bytes[1]!
  if (version !== undefined && version !== TCP_VERSION)
    throw new TcpStateError('version', `format version ${version}; this program reads ${TCP_VERSION}`)
  let state: TcpState
  try {
    state = decode(TcpState, bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new TcpStateError('malformed', `at byte ${error.offset}: ${error.message}`, { cause: error })
  }
  const wrong = faultOf(state)
  if (wrong !== undefined) throw new TcpStateError('malformed', wrong)
  return state
}

/** What no connection can say of itself; the kernel that gets it judges the rest. */
function faultOf({ localPort, remotePort, segment, scales, window }: TcpState): string | undefined {
  if (localPort === 0 || remotePort === 0) return 'a port of 0'
  if (segment < SEGMENT.least) return `a segment of ${segment} bytes`
  const scale = Math.max(scales?.send ?? 0, scales?.receive ?? 0)
  if (scale > LARGEST_SCALE) return `a window that is shifted by ${scale}`
  const largest = Math.max(window.send, window.largest, window.receive)
  if (largest > LARGEST_WINDOW) return `a window of ${largest} bytes`
  return window.send > window.largest ? 'a window above the largest one' : undefined
}
