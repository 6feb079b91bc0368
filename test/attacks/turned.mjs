// A function that turns against its platform: does what `?do=` says. It is plain JavaScript in a container's
// process, and has what that has: its descriptors, the modules that the container has loaded, and /proc.
import { closeSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'

/** The container's own modules: it was started with the worker's path. */
const worker = pathToFileURL(process.argv[1])
const own = path => import(new URL(`../../${path}`, worker).href)
const { Header, VERSION } = await own('transfer/channels/frame.js')
const { encodeControl } = await own('transfer/control.js')
const { Courier } = await own('transfer/courier.js')
const { probe } = await own('transfer/native/libc.js')
const { Descriptor } = await own('transfer/stream.js')
const { encode } = await own('wire/index.js')
const { libc } = probe()

// Who was introduced, and the courier itself: the container uses its classes in this very process.
const peers = new Set()
let courier
const { introduce, tell } = Courier.prototype
Courier.prototype.introduce = function (peer, ends) {
  courier = this
  peers.add(peer.id)
  return introduce.call(this, peer, ends)
}
Courier.prototype.tell = function (...words) {
  courier = this
  return tell.apply(this, words)
}

/** Our end of the pair with the supervisor. */
const SUPERVISOR = 4
const EMPTY = new Uint8Array(0)
const SOCKETS = () =>
  readdirSync('/proc/self/fd')
    .map(Number)
    .filter(fd => fd > 2 && isUnix(fd))

function isUnix(fd) {
  try {
    return libc.domainOf(fd) === 'unix'
  } catch {
    return false
  }
}

function ignoring(work) {
  try {
    return work()
  } catch {
    return undefined
  }
}

/**
 * One frame with a whole control message, past the container's own channel. @returns the name of the error,
 * if any
 */
function say(fd, message) {
  const body = encodeControl(message)
  const content = { kind: 'fragment', number: 0, offset: 0, total: body.length, descriptors: 0 }
  return libc.sendMessage(fd, encode(Header, { version: VERSION, content }), body, [])
}

const ATTACKS = {
  /** Ends and fills whatever it finds, with what Node has. */
  descriptors() {
    for (const fd of SOCKETS()) {
      ignoring(() => new Socket({ fd }).on('error', () => {}).end())
      ignoring(() => {
        for (let i = 0; i < 4096; i++) writeSync(fd, new Uint8Array(64))
      })
    }
  },
  shutdown() {
    for (const fd of SOCKETS()) libc.shutdown(fd)
  },
  close() {
    for (let fd = 3; fd < 64; fd++) ignoring(() => closeSync(fd))
  },
  garbage() {
    const rubbish = Uint8Array.from({ length: 60_000 }, (_, i) => (i * 7919) >> 3)
    for (const fd of SOCKETS()) for (let i = 0; i < 20; i++) libc.sendMessage(fd, rubbish, EMPTY, [])
  },
  /** Large messages that never come to their end. */
  partial() {
    const content = { kind: 'fragment', number: 0, offset: 0, total: 0x1000000, descriptors: 0 }
    for (const fd of SOCKETS())
      libc.sendMessage(fd, encode(Header, { version: VERSION, content }), new Uint8Array(10), [])
  },
  /** Is ready again and again, under another name each time. */
  ready() {
    for (let i = 0; i < 100; i++) say(SUPERVISOR, { kind: 'ready', publicKey: new Uint8Array(32).fill(i) })
  },
  /** What it was not asked, and what is for gateways to say. */
  reports() {
    const moved = {
      kind: 'moved',
      sessionId: new Uint8Array(16),
      outcome: 'ended',
      generation: 1,
      detail: '',
    }
    for (let i = 0; i < 5; i++) {
      say(SUPERVISOR, { kind: 'leaving' })
      say(SUPERVISOR, {
        kind: 'unreachable',
        id: 1,
        reason: 'it sent something that is not a frame',
      })
      say(SUPERVISOR, { kind: 'failed', reason: 'all is lost' })
      say(SUPERVISOR, moved)
    }
  },
  /**
   * What looks like entries of the log, and nests so deeply that writing it down would need all the stack.
   */
  log() {
    const nested = ['['.repeat(8100) + ']'.repeat(8100), `${'{"":'.repeat(3200)}1${'}'.repeat(3200)}`]
    for (const one of nested) writeSync(1, `{"level":30,"a":${one}}\n`)
    return 'said'
  },
  /** Words of the supervisor, on everything that leads to a process. */
  orders() {
    const peer = {
      role: 'container',
      name: 'echo-9',
      functionName: 'echo',
      publicKey: new Uint8Array(32).fill(9),
    }
    for (const fd of SOCKETS()) {
      for (const kind of ['stop', 'drain', 'statusRequest', 'connectionsRequest']) say(fd, { kind })
      for (let id = 1; id < 20; id++) say(fd, { kind: 'gone', id })
      say(fd, { kind: 'introduce', peer: { id: 99, ...peer } })
    }
  },
  /** Words of a gateway, and keys, sealed as they should be. */
  peers() {
    const session = { sessionId: new Uint8Array(16).fill(1), generation: 9 }
    const retained = EMPTY
    const takeOver = { checkpoint: new Uint8Array(50), generation: 1, received: 0, records: 0, retained }
    const relayed = {
      functionName: 'echo',
      clientEnded: false,
      fromClient: EMPTY,
      fromLeg: EMPTY,
      relay: undefined,
    }
    const [one, other] = libc.socketPair('stream').map(Descriptor.fromFd)
    let count = 0
    for (const id of peers) {
      courier.share(id, new Uint8Array(100).fill(7))
      courier.shareSlots(id, one, 4)
      courier.sendTakeOver(id, session, takeOver, one, () => count++)
      courier.sendRelayed(id, session, relayed, [one, other], () => count++)
      courier.tell(id, { kind: 'stop' })
    }
    return `${peers.size}`
  },
  /** Messages to the supervisor without end. */
  flood() {
    const counters = Array.from({ length: 500 }, (_, value) => ({ name: `counter-${value}`, value }))
    setInterval(() => {
      for (let i = 0; i < 2000; i++) if (say(SUPERVISOR, { kind: 'status', counters }) !== undefined) return
    }, 1)
  },
  /** Words that say nothing, each an event for the supervisor. */
  credits() {
    const credit = encode(Header, { version: VERSION, content: { kind: 'credit', bytes: 0 } })
    setInterval(() => {
      for (let i = 0; i < 5000; i++) if (libc.sendMessage(SUPERVISOR, credit, EMPTY, []) !== undefined) return
    }, 1)
  },
  /** As if its end were closed, and it is not. */
  empty() {
    for (const fd of SOCKETS()) for (let i = 0; i < 20; i++) ignoring(() => writeSync(fd, EMPTY))
  },
  /** Everything about every process that can be read, but the supervisor, whose environment is its own. */
  environ() {
    const said = []
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
      const status = ignoring(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
      if (!status.includes(`PPid:\t${process.ppid}\n`)) continue
      for (const file of ['environ', 'cmdline'])
        said.push(ignoring(() => readFileSync(`/proc/${pid}/${file}`, 'latin1')) ?? '')
    }
    return JSON.stringify({ said, own: process.env, fds: SOCKETS().length, send: typeof process.send })
  },
  /** Rubbish where Node expects its own messages, and messages that Node acts on. */
  ipc() {
    const internal = ['NODE_HANDLE', 'NODE_SOCKET_GET_COUNT', 'NODE_HANDLE_ACK', 'NODE_HANDLE_NACK', 'NODE_X']
    for (const cmd of internal) ignoring(() => process.send?.({ cmd, type: 'net.Nothing', key: 7 }))
    for (const word of [null, 7, { hotpotato: 'frame', peer: 0, frame: 'AAAA' }])
      ignoring(() => process.send?.(word))
    ignoring(() => process.send?.({ hotpotato: 'returned', peer: 0, frame: '' }))
    ignoring(() => writeSync(4, '{"this is": no JSON\n\n'))
  },
  disconnect() {
    process.disconnect?.()
  },
  spin() {
    setTimeout(() => {
      for (;;);
    }, 50)
  },
}

export default {
  fetch(request) {
    const name = new URL(request.url).searchParams.get('do') ?? ''
    return new Response(`${ATTACKS[name]?.() ?? process.pid}`)
  },
}
