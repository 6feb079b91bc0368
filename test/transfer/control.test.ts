import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CONTROL_VERSION,
  type ControlMessage,
  decodeControl,
  encodeControl,
  mayReport,
  maySay,
  type Speaker,
} from '../../src/transfer/control.ts'
import { concat, DecodeError, hex } from '../../src/wire/index.ts'

const peer = {
  id: 7,
  role: 'container',
  name: 'echo-1',
  functionName: 'echo',
  publicKey: new Uint8Array(32).fill(9),
} as const
const ticket = new Uint8Array(8).fill(3)

const MESSAGES: ControlMessage[] = [
  { kind: 'ready', publicKey: peer.publicKey },
  { kind: 'introduce', peer: { ...peer, role: 'gateway', functionName: '' } },
  { kind: 'gone', id: 0xffffffff },
  { kind: 'failed', reason: 'why — for a reason' },
  {
    kind: 'parcel',
    ticket,
    sessionId: new Uint8Array(16).fill(1),
    generation: 5,
    sealed: Uint8Array.from({ length: 70_000 }, (_, i) => i & 0xff),
  },
  { kind: 'verdict', ticket, verdict: { outcome: 'accepted' } },
  { kind: 'verdict', ticket, verdict: { outcome: 'refused', reason: 'draining', detail: 'soon' } },
  { kind: 'taken', parcels: [{ ticket }, { ticket: new Uint8Array(8) }] },
  { kind: 'drain' },
  { kind: 'stop' },
  { kind: 'statusRequest' },
  { kind: 'status', counters: [{ name: 'accepted', value: 4 }] },
  { kind: 'draining', id: 3 },
  {
    kind: 'loads',
    loads: [
      { id: 1, connections: 0 },
      { id: 2, connections: 10_000 },
    ],
  },
  { kind: 'connectionsRequest' },
  {
    kind: 'connections',
    connections: [
      {
        sessionId: new Uint8Array(16).fill(1),
        generation: 7,
        hops: 3,
        requests: 12,
        age: 86_400_000,
        phase: 'busy',
        protocol: 'http/1.1',
        tls: true,
        cipherSuite: 'TLS_AES_128_GCM_SHA256',
        serverName: 'echo.local',
        stays: 'GET / of echo',
      },
    ],
  },
  { kind: 'move', sessionId: new Uint8Array(16).fill(1), target: 9 },
  { kind: 'moved', sessionId: new Uint8Array(16).fill(1), outcome: 'kept', generation: 0, detail: 'why' },
  { kind: 'leaving' },
  { kind: 'watch', milliseconds: 100, most: 25 },
  {
    kind: 'sights',
    sights: [
      {
        ...{ kind: 'left', cause: 'order', sessionId: new Uint8Array(16).fill(1), generation: 7 },
        ...{ target: 9, ago: 12, prepared: 80, handed: 190 },
      },
    ],
    missed: 3,
  },
  {
    kind: 'relayed',
    ticket,
    sessionId: new Uint8Array(16).fill(1),
    generation: 5,
    sealed: new Uint8Array(9),
  },
  {
    kind: 'takeOver',
    ticket,
    sessionId: new Uint8Array(16).fill(1),
    generation: 5,
    sealed: new Uint8Array(9),
  },
  { kind: 'slots', sealed: new Uint8Array(9) },
  { kind: 'keys', sealed: new Uint8Array(9) },
  { kind: 'loan', ticket, sealed: new Uint8Array(9) },
  { kind: 'loaned', ticket, sealed: new Uint8Array(9) },
  { kind: 'unreachable', id: 4, reason: 'why' },
  { kind: 'thaws' },
  { kind: 'begins', id: 4 },
]

describe('a control message', () => {
  it.each(MESSAGES.map(message => [message.kind, message] as const))(
    '%s comes back as it was',
    (_, message) => {
      const encoded = encodeControl(message)
      expect(encoded[0]).toBe(CONTROL_VERSION)
      expect(decodeControl(encoded)).toEqual(message)
    },
  )

  it.each(MESSAGES.map(message => [message.kind, message] as const))(
    '%s is refused when it is cut, or goes on',
    (_, message) => {
      const encoded = encodeControl(message)
      const step = Math.max(1, Math.floor(encoded.length / 200))
      for (let length = 0; length < encoded.length; length += step)
        expect(() => decodeControl(encoded.subarray(0, length))).toThrow(DecodeError)
      expect(() => decodeControl(concat(encoded, Uint8Array.of(0)))).toThrow(DecodeError)
    },
  )

  it('of another version is refused by that name', () => {
    const encoded = encodeControl({ kind: 'stop' })
    encoded[0] = 1
    expect(() => decodeControl(encoded)).toThrow('control version 1; this program speaks 2')
  })

  it('of random bytes is refused, or one that has this encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), random => {
        const bytes = concat(Uint8Array.of(CONTROL_VERSION), random)
        let message: ControlMessage
        try {
          message = decodeControl(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
          return
        }
        expect(hex(encodeControl(message))).toBe(hex(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('who may say what', () => {
  const kinds = [...new Set(MESSAGES.map(({ kind }) => kind))]
  const said = (by: (kind: ControlMessage['kind']) => boolean): string[] => kinds.filter(by)

  it('to the supervisor: what a process can tell of itself', () => {
    const reports = ['ready', 'failed', 'status', 'connections', 'moved']
    expect(said(kind => mayReport('container', kind))).toEqual([...reports, 'sights'])
    expect(said(kind => mayReport('gateway', kind))).toEqual([...reports, 'leaving', 'unreachable'])
  })

  it('to the others: orders come from the supervisor, sockets of others from gateways', () => {
    const accepted = ['parcel', 'verdict', 'taken']
    expect(said(kind => maySay('container', kind))).toEqual([...accepted, 'keys', 'loan', 'loaned', 'thaws'])
    const gateways = [...accepted, 'relayed', 'takeOver', 'slots', 'keys', 'loan', 'loaned']
    expect(said(kind => maySay('gateway', kind))).toEqual(gateways)
    expect(said(kind => maySay('supervisor', kind))).toEqual([
      'introduce',
      'gone',
      'drain',
      'stop',
      'statusRequest',
      'draining',
      'loads',
      'connectionsRequest',
      'move',
      'watch',
      'begins',
    ])
  })

  it('is said of every kind', () => {
    const heard = (kind: ControlMessage['kind']): boolean =>
      ['gateway', 'container', 'supervisor'].some(one => maySay(one as Speaker, kind)) ||
      mayReport('gateway', kind) ||
      mayReport('container', kind)
    expect(kinds.filter(kind => !heard(kind))).toEqual([])
  })
})
