import { describe, expect, it } from 'vitest'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { recycle } from '../../src/tls13/record-memory.ts'
import { Session } from '../../src/tls13/session.ts'
import { freshEnvelope } from '../../src/transfer/envelope.ts'
import { openEnvelope, sealEnvelope, wipeEnvelope } from '../../src/transfer/parcel.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { concat } from '../../src/wire/index.ts'
import { clientConfig, connectedPair, serverConfig } from '../support/pair.ts'
import { evp } from '../support/providers.ts'
import { below, type Seeded, seeded } from '../support/random.ts'

/** More than there are contexts of one cipher, so that keys take turns in them. */
const CONNECTIONS = 150
const STEPS = 6000
/** What the kernel fills for every connection in turn. */
const READ = new Uint8Array(65_536)

/** One end of a connection. */
interface End {
  session: Session
  readonly config: ReturnType<typeof clientConfig> | ReturnType<typeof serverConfig>
  /** Sealed, and not given to the other one. */
  wire: Uint8Array
  /** Where the content that comes next stands among all that was sent. */
  sent: number
  heard: number
}

const base = evp.available ? evp.provider : undefined
const suites = base?.cipherSuites ?? []

/*
 * What sessions share: memory for records, contexts of ciphers, memory for what is sealed to a container.
 * Many of them do a little in turn, and move, and each hears what its peer has said and nothing else.
 */
describe.each(suites.map(suite => ({ name: suite.name, suite })))('sessions of $name', ({ suite }) => {
  it('that send, receive, change keys and move in turn hear what their peers have said', () => {
    const random = seeded(41)
    const provider: CryptoProvider = { ...base!, cipherSuites: [suite] }
    const common = { provider, random, sharesMemory: true }
    const configs = [clientConfig(common), serverConfig(common)] as const
    const move = mover(base!, random)
    const all = Array.from({ length: CONNECTIONS }, () => {
      const { client, server } = connectedPair(...configs)
      return [client, server].map((session, i) => endOf(session, configs[i]!)) as [End, End]
    })
    let bytes = 0
    for (let step = 0; step < STEPS; step++) {
      const number = below(random, CONNECTIONS)
      const turned = below(random, 2) === 1
      const [from, to] = turned ? [all[number]![1], all[number]![0]] : all[number]!
      const salt = number * 2 + (turned ? 1 : 0)
      const what = below(random, 10)
      if (what < 4) say(from, salt, below(random, below(random, 6) === 0 ? 20_000 : 300))
      else if (what < 8) bytes += pass(from, to, salt, random)
      else if (what === 8) move(from)
      else from.session.updateKeys(below(random, 2) === 1)
      take(from)
    }
    expect(bytes).toBeGreaterThan(STEPS * 100)
  })
})

function endOf(session: Session, config: End['config']): End {
  return { session, config, wire: new Uint8Array(0), sent: 0, heard: 0 }
}

/** The content of one direction of one connection. */
function byteAt(salt: number, at: number): number {
  return (Math.imul(salt + 1, 0x9e3779b1) >>> (at % 23)) + at + (at >>> 8)
}

function say(from: End, salt: number, length: number): void {
  const content = Uint8Array.from({ length }, (_, i) => byteAt(salt, from.sent + i))
  from.sent += length
  from.session.send(content)
  content.fill(0xee)
}

/** What is sealed goes out, and its memory is used again. */
function take(from: End): void {
  const records = from.session.takeOutput()
  from.wire = concat(from.wire, ...records)
  recycle(records)
}

/** Gives some of what is on the wire to the other end, in pieces. @returns bytes of content */
function pass(from: End, to: End, salt: number, random: Seeded): number {
  const count = below(random, 3) === 0 ? below(random, from.wire.length + 1) : from.wire.length
  const passed = from.wire.slice(0, count)
  from.wire = from.wire.slice(count)
  let bytes = 0
  for (let at = 0; at < count; ) {
    const piece = passed.subarray(at, at + 1 + below(random, below(random, 3) === 0 ? 40 : 30_000))
    at += piece.length
    READ.set(piece)
    to.session.feed(READ.subarray(0, piece.length))
    for (let event = to.session.next(); event !== undefined; event = to.session.next()) {
      if (event.type === 'alert') throw event.error
      if (event.type !== 'application_data') continue
      const { data } = event
      const wrong = data.findIndex((byte, i) => byte !== (byteAt(salt, to.heard + i) & 0xff))
      if (wrong >= 0) throw new Error(`byte ${to.heard + wrong} of direction ${salt} is not what was sent`)
      to.heard += data.length
      bytes += data.length
      recycle([data])
    }
    READ.fill(0xdd, 0, piece.length)
  }
  take(to)
  return bytes
}

/** Moves a session as from container to container: sealed, wiped, opened and restored. */
function mover(provider: CryptoProvider, random: Seeded): (end: End) => void {
  const [one, other] = [createIdentity(provider, 1), createIdentity(provider, 2)]
  const [source, target] = [new Sealer(provider, one), new Sealer(provider, other)]
  source.addPeer(2, other.publicKey)
  target.addPeer(1, one.publicKey)
  return end => {
    take(end)
    const envelope = freshEnvelope(random(16), 1, end.session.release())
    const sealed = sealEnvelope(source, 2, envelope).slice()
    wipeEnvelope(envelope)
    end.session = Session.restore(openEnvelope(target, 1, envelope, sealed).tls!, end.config as never)
  }
}
