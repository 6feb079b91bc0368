// A process with a channel that does what the test tells it: node peer.mjs
// '{"self":1,"channel":"native","stream":"raw"}'
// With the native channel, descriptor 3 is its end of its pair with the test.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { IpcChannel } from '../../../dist/src/transfer/channels/ipc.js'
import { NativeChannel } from '../../../dist/src/transfer/channels/native.js'
import { Descriptor, openStream } from '../../../dist/src/transfer/stream.js'

const { self, channel: kind, stream: streamKind } = JSON.parse(process.argv[2])
const channel = kind === 'native' ? NativeChannel.open(self) : IpcChannel.open({ self })
channel.addPeer(0, kind === 'native' ? [Descriptor.fromFd(3)] : [])

// A message is a line of JSON, a zero byte, and what else there is.
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const pack = (message, rest = new Uint8Array(0)) => {
  const head = encoder.encode(`${JSON.stringify(message)}\0`)
  const bytes = new Uint8Array(head.length + rest.length)
  bytes.set(head)
  bytes.set(rest, head.length)
  return bytes
}
const tell = (to, message, rest, descriptors) => channel.send(to, pack(message, rest), descriptors)

const frozen = new Map()
const counts = new Map()
const hoard = []
let undeliverable = 0
let refused = 0
let drained = 0

channel.onUndeliverable = () => undeliverable++
channel.onRefused = (from, payload, reason) => {
  refused++
  tell(0, { refused: reason, bytes: payload.length, from })
}
channel.onDrain = () => drained++

channel.onMessage = (from, payload, descriptors) => {
  const end = payload.indexOf(0)
  const message = JSON.parse(decoder.decode(payload.subarray(0, end)))
  const rest = payload.subarray(end + 1)
  actions[message.do]?.(from, message, rest, descriptors)
}

const actions = {
  introduce: (_, { id }, _rest, ends) => {
    channel.addPeer(id, ends)
    tell(0, { introduced: id })
  },

  /** Sends `count` numbered messages of `size` bytes to another process. */
  flood: (_, { to, count, size }) => {
    const results = { sent: 0, queued: 0, gone: 0, full: 0 }
    for (let i = 0; i < count; i++) results[tell(to, { do: 'take', i, count }, filled(size, i))]++
    tell(0, { flooded: to, results })
  },

  /** Takes one of those: they must come in order and unchanged. */
  take: (from, { i, count }, rest, descriptors) => {
    for (const descriptor of descriptors) descriptor.close()
    const next = counts.get(from) ?? 0
    if (next !== i) return tell(0, { wrong: `message ${i} where ${next} was due` })
    if (!rest.every(byte => byte === (i & 0xff))) return tell(0, { wrong: `message ${i} changed` })
    counts.set(from, i + 1)
    if (i + 1 === count) tell(0, { took: count, from })
  },

  report: () => {
    const fds = readdirSync('/proc/self/fd').length
    tell(0, {
      report: { undeliverable, refused, drained, fds, frozen: frozen.size, peers: [...channel.peers] },
    })
  },

  /** Uses up every descriptor that this process may have, except `spare`. */
  fill: (_, { spare }) => {
    try {
      for (;;) hoard.push(openSync('/dev/null', 'r'))
    } catch (error) {
      for (let i = 0; i < spare; i++) closeSync(hoard.pop())
      tell(0, { full: error.code })
    }
  },

  empty: () => {
    for (const fd of hoard.splice(0)) closeSync(fd)
    tell(0, { empty: true })
  },

  /** Says how many descriptors came, and what can be read from the first. */
  look: (_, _message, rest, descriptors) => {
    const kinds = descriptors.map(({ kind }) => kind)
    for (const descriptor of descriptors) descriptor.close()
    tell(0, { looked: kinds, length: rest.length })
  },

  /** Ends the process without a word, while what waits is still waiting. */
  exit: () => process.exit(0),

  /**
   * Echoes a connection, and after every `every` bytes gives it to `other`; tells when the client has ended.
   */
  own: (from, state, unread, [descriptor]) => {
    if (from !== 0) tell(from, { do: 'accepted', key: state.key })
    own(openStream(descriptor, { kind: streamKind, unread }), state)
  },

  accepted: (_, { key }) => {
    frozen.get(key).destroy()
    frozen.delete(key)
  },

  /**
   * Writes `bytes` in one go and gives the connection up for `other` at once: what waits must leave first.
   */
  writeThenMove: async (_, { bytes, other, key }, _rest, [descriptor]) => {
    const stream = openStream(descriptor, { kind: streamKind })
    const written = stream.write([sequence(0, bytes)])
    const lifted = await stream.lift()
    frozen.set(key, stream)
    tell(other, { do: 'own', key, position: 0, every: Infinity, hops: 1, written }, lifted.unread, [
      lifted.descriptor,
    ])
  },

  /** Sends FIN, then moves: the next owner reads on. */
  endThenMove: async (_, { other, key }, _rest, [descriptor]) => {
    const stream = openStream(descriptor, { kind: streamKind })
    stream.end()
    const lifted = await stream.lift()
    frozen.set(key, stream)
    tell(other, { do: 'count', key }, lifted.unread, [lifted.descriptor])
  },

  /** Counts what a client sends to its end. */
  count: (from, { key }, unread, [descriptor]) => {
    if (from !== 0) tell(from, { do: 'accepted', key })
    const stream = openStream(descriptor, { kind: streamKind, unread })
    let position = 0
    stream.read({
      bytes: view => {
        position += view.length
      },
      end: () => {
        tell(0, { counted: position, key })
        stream.destroy()
      },
      error: error => tell(0, { wrong: error.message }),
    })
  },

  /** Gives a connection straight back, as the bench measures it. */
  bounce: (from, message, rest, [descriptor]) => {
    const stream = openStream(descriptor, { kind: streamKind })
    const lifted = stream.lift()
    tell(from, { ...message, do: 'bounced' }, rest, [lifted.descriptor])
    stream.destroy()
  },
}

function own(stream, state) {
  let { position, hops } = state
  const { every, other, key } = state
  const goal = every === null ? Infinity : position + every
  let moving = false

  const move = async () => {
    const lifted = await stream.lift()
    frozen.set(key, stream)
    const next = { do: 'own', key, position, every, hops: hops + 1, other: self }
    const result = tell(other, next, lifted.unread, [lifted.descriptor])
    if (result === 'gone') tell(0, { wrong: 'the other is gone' })
  }

  stream.read({
    bytes: view => {
      for (let i = 0; i < view.length; i++) {
        if (view[i] !== byteAt(position + i)) {
          return tell(0, { wrong: `byte ${position + i} is ${view[i]} after ${hops} hops` })
        }
      }
      position += view.length
      stream.write([view.slice()])
      if (position < goal || moving) return
      moving = true
      // In the middle of reading, or a moment later, when more may have come.
      if (hops % 2 === 0) move()
      else setImmediate(move)
    },
    end: () => {
      if (moving) return
      stream.end()
      tell(0, { ended: position, hops, key })
    },
    error: error => tell(0, { wrong: error.message }),
  })
}

function byteAt(position) {
  return (position * 7 + (position >>> 8) * 13 + (position >>> 16)) & 0xff
}

function sequence(from, length) {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(from + i)
  return bytes
}

function filled(size, i) {
  return new Uint8Array(size).fill(i & 0xff)
}
