import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { mlKem768, withHybridGroups } from '../../../src/tls13/crypto/hybrid.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { keyLogLine } from '../../../src/tls13/key-log.ts'
import type { ExposedSecret } from '../../../src/tls13/key-schedule.ts'
import { Protection } from '../../../src/tls13/protection.ts'
import { readRecord } from '../../../src/tls13/record.ts'
import { Session } from '../../../src/tls13/session.ts'
import { SessionState } from '../../../src/tls13/state.ts'
import { concat, decode, EMPTY, encode, equal, hex, utf8 } from '../../../src/wire/index.ts'
import { because } from '../../support/alert.ts'
import { certificateOf, ed25519Identity, trusting } from '../../support/identity.ts'
import { LONG } from '../../support/long.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  dataOf,
  joined,
  outputOf,
  type Pair,
  recordsOf,
  serverConfig,
  ticketSealer,
} from '../../support/pair.ts'
import { providers } from '../../support/providers.ts'
import { seeded } from '../../support/random.ts'
import { EXTENDING, extendingPair, generationOf, listening, secretsOf } from '../../support/updating.ts'

/*
 * Extended key updates (draft-ietf-tls-extended-key-update), as they should go. What a peer may not do is in
 * refusals.test.ts.
 */

type Role = 'client' | 'server'
const ROLES = ['client', 'server'] as const
const OTHER = { client: 'server', server: 'client' } as const

/** Data in both directions, which both sides can read. */
function talk(pair: Pair, text: string): void {
  const before = [dataOf(pair.clientEvents).length, dataOf(pair.serverEvents).length]
  pair.client.send(utf8(text))
  pair.server.send(utf8(text))
  pair.settle()
  const after = [dataOf(pair.clientEvents).length, dataOf(pair.serverEvents).length]
  expect(after).toEqual(before.map(length => length + text.length))
}

/** Every group of every provider; the costly ones of the first alone in a short run. */
const GROUPS = providers.flatMap(provider =>
  [
    ...withHybridGroups(provider).groups,
    mlKem768,
    ...(LONG || provider === providers[0] ? (provider.costlyGroups ?? []) : []),
  ].map(group => [`${provider.name} ${group.name}`, provider, group] as const),
)

describe.each(GROUPS)('with %s', (_, provider, group) => {
  const one = { ...provider, groups: [group] }
  const random = provider.random

  it.each(ROLES)('the %s begins, and both have new keys, three times', role => {
    const config = { provider: one, random }
    const pair = extendingPair({ ...config, keyShares: [group.id] }, config)
    const seen = new Set<string>()
    for (let turn = 0; turn < 3; turn++) {
      for (const secret of secretsOf(pair.client)) seen.add(hex(secret))
      pair[role].updateKeys(false)
      pair.settle()
      expect([generationOf(pair.client), generationOf(pair.server)]).toEqual([turn + 1, turn + 1])
      talk(pair, `under the keys of ${turn}`)
    }
    expect(seen.size).toBe(6)
  })
})

describe('the new secrets', () => {
  const hmac = (key: Uint8Array, ...data: Uint8Array[]): Uint8Array =>
    new Uint8Array(
      createHmac('sha256', key)
        .update(concat(...data))
        .digest(),
    )
  const sha256 = (...data: Uint8Array[]): Uint8Array =>
    new Uint8Array(
      createHash('sha256')
        .update(concat(...data))
        .digest(),
    )
  /** Derive-Secret by Node's HMAC, written out. */
  const derived = (secret: Uint8Array, label: string, hash: Uint8Array): Uint8Array => {
    const full = utf8(`tls13 ${label}`)
    const info = [Uint8Array.of(0, 32, full.length), full, Uint8Array.of(hash.length), hash]
    return hmac(secret, ...info, Uint8Array.of(1))
  }

  it('are those of the draft, for either initiator, from what went over the wire', () => {
    const [client, server] = [listening(), listening()]
    const exposed: ExposedSecret[] = []
    const onSecret = (one: ExposedSecret): void => void exposed.push(one)
    const pair = extendingPair({ shape: client.shape, onSecret }, { shape: server.shape })
    const secretOf = (name: string): Uint8Array => exposed.filter(one => one.name === name).at(-1)!.secret
    let transcript = sha256(
      client.said[0]!,
      ...server.said,
      // The client's Finished is the last that it has said.
      client.said.at(-1)!,
    )
    const upToServer = sha256(client.said[0]!, ...server.said)
    expect(hex(secretOf('exporter_secret_0'))).toBe(
      hex(derived(secretOf('master_secret'), 'exporter eku', upToServer)),
    )
    let main = secretOf('master_secret')
    for (const role of ROLES) {
      const before = { client: client.said.length, server: server.said.length }
      // The shared secret is what makes the main secret; all else is recomputed.
      pair[role].updateKeys(false)
      pair.settle()
      const said = { client: client.said.slice(before.client), server: server.said.slice(before.server) }
      const [request, finish] = said[role]
      const [response] = said[OTHER[role]]
      expect([request![4], response![4], hex(finish!)]).toEqual([0, 1, 'fa00000102'])
      transcript = sha256(transcript, request!, response!)
      const state = pair.client.inspect('with secrets')
      if (state.keyUpdate.kind !== 'extended') throw new Error(state.keyUpdate.kind)
      expect(hex(state.keyUpdate.transcriptHash)).toBe(hex(transcript))
      expect(hex(secretOf('master_secret_N'))).not.toBe(hex(main))
      main = secretOf('master_secret_N')
      expect(hex(state.write!.trafficSecret)).toBe(hex(derived(main, 'c ap traffic', transcript)))
      expect(hex(state.read!.trafficSecret)).toBe(hex(derived(main, 's ap traffic', transcript)))
      expect(hex(state.keyUpdate.exporterSecret)).toBe(hex(derived(main, 'exp master', transcript)))
      expect(hex(state.keyUpdate.salt)).toBe(hex(derived(main, 'derived', sha256())))
    }
  })

  it('follow from the salt and the shared secret, which is the only new thing', () => {
    const shared: Uint8Array[] = []
    const watched = node.groups.map(group => ({
      ...group,
      complete: (privateKey: Uint8Array, share: Uint8Array) => {
        const secret = group.complete(privateKey, share)
        if (secret !== undefined) shared.push(secret.slice())
        return secret
      },
    }))
    const exposed: ExposedSecret[] = []
    const onSecret = (one: ExposedSecret): void => void exposed.push(one)
    const pair = extendingPair({ provider: { ...node, groups: watched }, onSecret })
    const { keyUpdate } = pair.client.inspect('with secrets')
    if (keyUpdate.kind !== 'extended') throw new Error(keyUpdate.kind)
    pair.client.updateKeys(false)
    pair.settle()
    const main = exposed.find(({ name }) => name === 'master_secret_N')!
    expect(hex(main.secret)).toBe(hex(hmac(keyUpdate.salt, shared.at(-1)!)))
  })

  it('stand in the key log with their number, where the handshake was logged', () => {
    const lines: string[] = []
    const onSecret: NonNullable<ClientConfig['onSecret']> = (one, random) => {
      const line = keyLogLine(one, random)
      if (line !== undefined) lines.push(line.split(' ')[0]!)
    }
    const pair = extendingPair({}, { onSecret })
    lines.length = 0
    for (let turn = 0; turn < 2; turn++) {
      pair.client.updateKeys(false)
      pair.settle()
    }
    const names = ['CLIENT_TRAFFIC_SECRET', 'SERVER_TRAFFIC_SECRET', 'EXPORTER_SECRET']
    expect(lines).toEqual([...names.map(name => `${name}_1`), ...names.map(name => `${name}_2`)])
  })

  it('stand in no key log that begins after the handshake', () => {
    const lines: unknown[] = []
    const { client, server } = extendingPair()
    const onSecret = (one: unknown): void => void lines.push(one)
    const pair = joined(client, Session.restore(server.release(), serverConfig({ ...EXTENDING, onSecret })))
    client.updateKeys(false)
    pair.settle()
    expect([generationOf(pair.server), lines]).toEqual([1, []])
  })

  it('give new keying material, and leave the old interface what it was', () => {
    const pair = extendingPair()
    const material = (session: Session, updated: boolean): string =>
      hex(session.exportKeyingMaterial('a label', utf8('of context'), 32, updated))
    const first = material(pair.client, true)
    const fixed = material(pair.client, false)
    expect(first).not.toBe(fixed)
    expect(material(pair.server, true)).toBe(first)
    pair.server.updateKeys(false)
    pair.settle()
    expect(material(pair.client, true)).not.toBe(first)
    expect(material(pair.server, true)).toBe(material(pair.client, true))
    expect([material(pair.client, false), material(pair.server, false)]).toEqual([fixed, fixed])
    expect(() => connectedPair().client.exportKeyingMaterial('x', EMPTY, 1, true)).toThrow(
      'without extended key updates',
    )
  })

  it('cannot be known by who had the old state, and heard all that followed', () => {
    const opens = (updates: boolean): boolean => {
      const pair = extendingPair()
      const stolen = pair.server.inspect('with secrets')
      const heard: Uint8Array[] = []
      const carry = (): void => {
        const up = outputOf(pair.client)
        heard.push(...recordsOf(up))
        pair.server.receive(up)
        pair.client.receive(outputOf(pair.server))
      }
      if (updates) pair.server.updateKeys(false)
      for (let turn = 0; turn < 3; turn++) carry()
      pair.client.send(utf8('what nobody else may read'))
      carry()
      const read = new Protection(node.cipherSuites[0]!, { ...stolen.read! })
      return heard.some(record => {
        try {
          return (
            hex(read.open(readRecord(record, 0, true)!).content) === hex(utf8('what nobody else may read'))
          )
        } catch {
          return false
        }
      })
    }
    expect([opens(false), opens(true)]).toEqual([true, false])
  })

  it('come of a share that is used once', () => {
    const { said, shape } = listening()
    const pair = extendingPair({ shape })
    for (let turn = 0; turn < 5; turn++) {
      pair[ROLES[turn % 2]!].updateKeys(false)
      pair.settle()
    }
    const updates = said.filter(message => message[0] === 250 && message[4]! < 2)
    expect(updates).toHaveLength(5)
    expect(new Set(updates.map(message => hex(message.slice(9)))).size).toBe(5)
  })
})

describe('what is agreed on', () => {
  const agreed = (client: Partial<ClientConfig>, server: Partial<ServerConfig>): (number | undefined)[] => {
    const pair = connectedPair(client, server)
    return [pair.client, pair.server].map(one => one.extendedKeyUpdates?.generation)
  }

  it('takes both sides', () => {
    expect(agreed({}, {})).toEqual([undefined, undefined])
    expect(agreed(EXTENDING, {})).toEqual([undefined, undefined])
    expect(agreed({}, EXTENDING)).toEqual([undefined, undefined])
    expect(agreed(EXTENDING, EXTENDING)).toEqual([0, 0])
  })

  it('survives a HelloRetryRequest, a client certificate and early exports of the handshake', () => {
    expect(agreed({ ...EXTENDING, keyShares: [] }, EXTENDING)).toEqual([0, 0])
    const known = ed25519Identity(9)
    const certified = { ...EXTENDING, clientCertificates: { verify: trusting(known) } }
    expect(agreed({ ...EXTENDING, certificates: [certificateOf(known, node)] }, certified)).toEqual([0, 0])
  })

  it('needs a key exchange: a PSK alone has no group', () => {
    const psks = [{ identity: utf8('a potato'), key: new Uint8Array(16).fill(5) }]
    const alone = { ...EXTENDING, psks, pskModes: ['psk_ke'] as const }
    expect(agreed(alone, alone)).toEqual([undefined, undefined])
    const exchanged = { ...EXTENDING, psks }
    expect(agreed(exchanged, exchanged)).toEqual([0, 0])
    const pair = connectedPair(exchanged, exchanged)
    expect(pair.client.inspect().resumed).toBe(true)
  })

  it('leaves no tickets, and takes none', () => {
    const tickets = { sealer: ticketSealer() }
    const pair = connectedPair(EXTENDING, { ...EXTENDING, tickets })
    pair.server.sendTickets(2)
    pair.settle()
    expect(pair.clientEvents.map(({ type }) => type)).toEqual(['handshake_complete'])
    const { clientEvents } = connectedPair({}, { tickets })
    const event = clientEvents.find(({ type }) => type === 'new_session_ticket')
    if (event?.type !== 'new_session_ticket') throw new Error('no ticket')
    const { ticket: resume } = event
    // A client that wants updates offers no ticket; a server does not resume one that does.
    const mine = connectedPair({ ...EXTENDING, resume }, { tickets })
    expect(mine.client.inspect().resumed).toBe(false)
    const offering = connectedPair({ resume }, { tickets })
    expect(offering.client.inspect().resumed).toBe(true)
    const whole = connectedPair({ resume, shape: flagged() }, { ...EXTENDING, tickets })
    expect(whole.server.inspect().resumed).toBe(false)
  })

  /** A client that offers the flag and the ticket, as ours never does. */
  function flagged(): NonNullable<ClientConfig['shape']> {
    const flags = { extensionType: 62, extensionData: Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0, 1) }
    return message => {
      if (message.type !== 'client_hello') return message
      const [last, ...before] = message.extensions.toReversed()
      return { ...message, extensions: [...before.toReversed(), flags, last!] }
    }
  }

  it('costs a session without it no byte', () => {
    const idle = (more: object): number =>
      encode(SessionState, connectedPair(more, more).server.release()).length
    const [without, agreedOn] = [idle({}), idle(EXTENDING)]
    // A salt, a hash and a secret more, and no secret for tickets.
    expect(agreedOn - without).toBe(3 * 33 + 2 + 4 + 1 - 32)
  })
})

describe('requests that cross', () => {
  it('make one exchange: the greater share goes on', () => {
    const winners = new Set<Role>()
    for (let seed = 0; seed < 12; seed++) {
      const pair = extendingPair({ random: seeded(100 + seed) }, { random: seeded(200 + seed) })
      const shares = { client: listeningTo(pair, 'client'), server: listeningTo(pair, 'server') }
      const [up, down] = [shares.client, shares.server]
      pair.server.receive(up.bytes)
      pair.client.receive(down.bytes)
      pair.settle()
      expect([generationOf(pair.client), generationOf(pair.server)]).toEqual([1, 1])
      talk(pair, 'after the crossing')
      winners.add(hex(up.share) > hex(down.share) ? 'client' : 'server')
      const began = pair.clientEvents.filter(({ type }) => type === 'extended_key_update')
      expect(began).toHaveLength(1)
    }
    expect([...winners].sort()).toEqual(['client', 'server'])
  })

  /** Has one side ask. */
  function listeningTo(pair: Pair, role: Role): { bytes: Uint8Array; share: Uint8Array } {
    pair[role].updateKeys(false)
    const { keyUpdate } = pair[role].inspect('with secrets')
    const exchange = keyUpdate.kind === 'extended' ? keyUpdate.exchange : undefined
    if (exchange?.stage !== 'WAIT_RESPONSE') throw new Error('no request')
    return { bytes: outputOf(pair[role]), share: exchange.request.slice(9) }
  }
})

describe('with the data around it', () => {
  it.each(ROLES)('the %s, which begins, sends on under the old key, and loses nothing', role => {
    const pair = extendingPair()
    const other = OTHER[role]
    pair[role].updateKeys(false)
    pair[role].send(utf8('behind the request '))
    pair[other].send(utf8('before it was read '))
    pair.settle()
    pair[role].send(utf8('and after'))
    pair[other].send(utf8('and after'))
    pair.settle()
    const heard = { client: dataOf(pair.clientEvents), server: dataOf(pair.serverEvents) }
    expect(hex(heard[other])).toBe(hex(utf8('behind the request and after')))
    expect(hex(heard[role])).toBe(hex(utf8('before it was read and after')))
  })

  it('the answer goes out before the next record of ours, and with what is taken at the latest', () => {
    const pair = extendingPair()
    pair.client.updateKeys(false)
    pair.server.receive(outputOf(pair.client))
    expect(pair.server.keyUpdateDue).toBe(true)
    pair.server.send(utf8('x'))
    expect(pair.server.keyUpdateDue).toBe(false)
    const records = recordsOf(concat(...pair.server.takeSealed()))
    expect(records).toHaveLength(2)
    pair.client.receive(concat(...records))
    expect(generationOf(pair.client)).toBe(1)
    pair.server.receive(outputOf(pair.client))
    expect(generationOf(pair.server)).toBe(1)
  })

  it('a side that has closed its half still lets the other one go on', () => {
    const pair = extendingPair()
    pair.client.close()
    pair.settle()
    pair.server.updateKeys(false)
    pair.settle()
    pair.server.send(utf8('to a client that says no more'))
    pair.settle()
    expect(dataOf(pair.clientEvents).length).toBeGreaterThan(0)
    expect(pair.serverEvents.filter(({ type }) => type === 'alert')).toEqual([])
  })

  it('an update that is asked for twice is asked for once', () => {
    const pair = extendingPair()
    pair.client.updateKeys(true)
    pair.client.updateKeys(true)
    pair.settle()
    expect(generationOf(pair.server)).toBe(1)
  })

  it('records of 64 bytes carry a share of more than a thousand', () => {
    const small = { recordSizeLimit: 63, provider: withHybridGroups(node) }
    const pair = extendingPair({ ...small, keyShares: [NamedGroup.X25519MLKEM768] }, small)
    pair.server.updateKeys(false)
    pair.settle()
    talk(pair, 'small')
    expect(generationOf(pair.client)).toBe(1)
  })
})

describe('where a key may seal only so many records', () => {
  const suite = node.cipherSuites[0]!
  const limited = (confidentialityLimit: number) => ({
    ...node,
    cipherSuites: [{ ...suite, protect: undefined!, aead: { ...suite.aead, confidentialityLimit } }],
  })

  it('an update begins in time, and no KeyUpdate', () => {
    const config = { provider: limited(64) }
    const pair = extendingPair(config, config)
    for (let i = 0; i < 500; i++) {
      pair.server.send(utf8('x'))
      pair.settle()
    }
    expect(dataOf(pair.clientEvents)).toHaveLength(500)
    expect(generationOf(pair.client)).toBeGreaterThan(5)
    expect(pair.clientEvents.filter(({ type }) => type === 'key_update')).toEqual([])
  })

  it('a peer that does not answer ends the session, before the key has sealed too many', () => {
    const config = { provider: limited(64) }
    const pair = extendingPair(config, config)
    const send = (): void => {
      for (let i = 0; i < 64; i++) pair.server.send(utf8('x'))
    }
    expect(send).toThrow(because('write_key_exhausted'))
    expect(pair.server.trafficKeys().write!.sequenceNumber).toBeLessThanOrEqual(48)
    expect(pair.server.sealable).toBe(0)
  })
})

describe('and authentication after the handshake', () => {
  const known = ed25519Identity(9)
  const asked = (): Pair =>
    extendingPair(
      { postHandshakeAuth: true, certificates: [certificateOf(known, node)] },
      { clientCertificates: { verify: trusting(known), postHandshake: true } },
    )
  const authenticated = ({ serverEvents }: Pair): number =>
    serverEvents.filter(({ type }) => type === 'client_authenticated').length

  it('go one after the other, in any order, over the hash of all that was', () => {
    const pair = asked()
    for (let turn = 1; turn <= 3; turn++) {
      pair.server.requestCertificate()
      pair.settle()
      pair[ROLES[turn % 2]!].updateKeys(false)
      pair.settle()
      expect([authenticated(pair), generationOf(pair.client)]).toEqual([turn, turn])
      const { handshake, keyUpdate } = pair.server.inspect('with secrets')
      if (handshake.state !== 'CONNECTED' || keyUpdate.kind !== 'extended') throw new Error('unconnected')
      expect(hex(handshake.transcript!)).toBe(hex(keyUpdate.transcriptHash))
    }
    pair.server.requestCertificate()
    pair.settle()
    expect(authenticated(pair)).toBe(4)
  })

  it('an update does not begin while one is asked for, nor the other way around', () => {
    const pair = asked()
    pair.server.requestCertificate()
    expect(pair.server.extendedKeyUpdates).toEqual({ generation: 0, underway: true })
    pair.server.updateKeys(false)
    pair.settle()
    expect([authenticated(pair), generationOf(pair.server)]).toEqual([1, 0])
    pair.server.updateKeys(false)
    expect(() => pair.server.requestCertificate()).toThrow('an extended key update is underway')
    pair.settle()
    expect(generationOf(pair.server)).toBe(1)
  })

  it('a request that crosses the one for a certificate waits until the client has answered', () => {
    const pair = asked()
    pair.client.updateKeys(false)
    pair.server.requestCertificate()
    pair.settle()
    expect([authenticated(pair), generationOf(pair.client), generationOf(pair.server)]).toEqual([1, 1, 1])
    const types = pair.serverEvents.map(({ type }) => type)
    expect(types.slice(-2)).toEqual(['client_authenticated', 'extended_key_update'])
    talk(pair, 'and on')
  })
})

describe('a state', () => {
  const moved = (session: Session): Session => {
    const { role } = session
    const state = decode(SessionState, encode(SessionState, session.release()))
    const random = seeded(Math.floor(state.write!.trafficSecret[0]! + 300))
    return Session.restore(
      state,
      role === 'client' ? clientConfig({ ...EXTENDING, random }) : serverConfig({ ...EXTENDING, random }),
    )
  }

  it.each(ROLES)('of a %s goes on elsewhere after each step of an exchange', role => {
    for (let at = 0; at < 6; at++) {
      let { client, server } = extendingPair()
      const sides = { client, server }
      let step = 0
      const perhaps = (): void => {
        if (step++ === at) sides[role] = moved(sides[role])
      }
      sides.client.updateKeys(false)
      perhaps()
      for (let turn = 0; turn < 3; turn++) {
        sides.server.receive(outputOf(sides.client))
        perhaps()
        sides.client.receive(outputOf(sides.server))
        perhaps()
      }
      ;({ client, server } = sides)
      expect([generationOf(client), generationOf(server)]).toEqual([1, 1])
      expect(equal(secretsOf(client)[0]!, secretsOf(server)[1]!)).toBe(true)
    }
  })

  it('without a group of its provider, or that contradicts itself, is refused', () => {
    const released = () => extendingPair().server.release()
    const refusal = (change: (state: ReturnType<typeof released>) => void): string => {
      const state = released()
      change(state)
      try {
        Session.restore(state, serverConfig())
      } catch (error) {
        return (error as { reason: string }).reason
      }
      return 'taken'
    }
    const extended = (state: ReturnType<typeof released>) => {
      if (state.keyUpdate.kind !== 'extended') throw new Error(state.keyUpdate.kind)
      return state.keyUpdate
    }
    expect(refusal(() => {})).toBe('taken')
    expect(
      refusal(state => {
        extended(state).group = 0x9999
      }),
    ).toBe('missing_group')
    const wrong: ((state: ReturnType<typeof released>) => void)[] = [
      state => {
        extended(state).salt = new Uint8Array(48)
      },
      state => {
        extended(state).transcriptHash = new Uint8Array(33)
      },
      state => {
        extended(state).exporterSecret = new Uint8Array(31)
      },
      state => {
        state.keyUpdate = {
          kind: 'negotiating',
          group: NamedGroup.x25519,
          exporterSecret: new Uint8Array(32),
        }
      },
      state => {
        extended(state).exchange = {
          stage: 'WAIT_FINISH',
          readSecret: new Uint8Array(48),
          exporterSecret: new Uint8Array(32),
        }
      },
      state => {
        extended(state).exchange = {
          stage: 'WAIT_RESPONSE',
          privateKey: new Uint8Array(32),
          request: utf8('no request'),
          crossed: false,
        }
      },
    ]
    expect(wrong.map(refusal)).toEqual(wrong.map(() => 'update_contradiction'))
  })

  it('is told without its secrets', () => {
    const pair = extendingPair()
    pair.client.updateKeys(false)
    const { keyUpdate } = pair.client.inspect()
    const exchange = keyUpdate.kind === 'extended' ? keyUpdate.exchange : undefined
    if (keyUpdate.kind !== 'extended' || exchange?.stage !== 'WAIT_RESPONSE') throw new Error('no request')
    const secrets = [keyUpdate.salt, keyUpdate.exporterSecret, exchange.privateKey]
    expect(secrets.flatMap(bytes => [...bytes]).every(byte => byte === 0)).toBe(true)
  })
})

it('a hello that is not answered says that it would take updates, in nine bytes of flags', () => {
  const { client } = createPair(EXTENDING)
  expect(hex(outputOf(client))).toContain('003e000a09000000000000000001')
})
