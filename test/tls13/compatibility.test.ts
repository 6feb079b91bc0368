import { describe, expect, it } from 'vitest'
import type { ClientConfig } from '../../src/tls13/config.ts'
import { HandshakeType } from '../../src/tls13/messages.ts'
import { outputOf, recordsOf } from '../support/pair.ts'
import { clientIn, clientScene, type Scene, type StateName } from '../support/scene.ts'

/* A client that sends a session id shows a ChangeCipherSpec before what it protects first (Appendix D.4). */

const PROTECTED: StateName[] = ['WAIT_EE', 'WAIT_CERT_CR', 'WAIT_CERT', 'WAIT_CV', 'WAIT_FINISHED']
const CCS = 20
const ALERT = 21
const SEALED = 23

/** The types of the records that a session answers with. */
const typesOf = (bytes: Uint8Array) => recordsOf(bytes).map(record => record[0])

/** Each way in which a client may end before its second flight. */
const ENDS: readonly (readonly [string, string, (scene: Scene) => Uint8Array])[] = [
  [
    'by a message that has no business here',
    'unexpected_message',
    scene =>
      scene.provoke(scene.handshake(Uint8Array.of(HandshakeType.members.key_update, 0, 0, 1, 0))).output,
  ],
  [
    'by a record that does not open',
    'bad_record_mac',
    scene => scene.provoke(Uint8Array.of(SEALED, 3, 3, 0, 17, ...new Uint8Array(17))).output,
  ],
  [
    'by its owner, who aborts it',
    'user_canceled',
    scene => {
      scene.subject.abort('user_canceled')
      return outputOf(scene.subject)
    },
  ],
  [
    'by its owner, who closes it',
    'close_notify',
    scene => {
      scene.subject.close()
      return outputOf(scene.subject)
    },
  ],
]

describe.each(PROTECTED)('a client that fails in %s', state => {
  it.each(ENDS)('%s sends one before its alert %s', (_, _alert, end) => {
    expect(typesOf(end(clientIn(state)))).toEqual([CCS, SEALED])
  })

  it.each(ENDS)('%s sends none without a session id, only its alert %s', (_, _alert, end) => {
    expect(typesOf(end(clientIn(state, { compatibilityMode: false })))).toEqual([SEALED])
  })
})

describe('a client', () => {
  it('whose verifier says no sends one before its alert', () => {
    const { scene } = clientScene({
      verify: () => {
        throw new RangeError('no')
      },
    })
    expect(typesOf(scene.provoke(scene.genuine).output)).toEqual([CCS, SEALED])
  })

  it('that fails on a ServerHello sends its alert alone, in the clear', () => {
    const scene = clientIn('WAIT_SH')
    expect(typesOf(scene.provoke(scene.handshake(Uint8Array.of(2, 0, 0, 0))).output)).toEqual([ALERT])
  })

  it.each<[string, Partial<ClientConfig>]>([
    ['behind a HelloRetryRequest', { keyShares: [] }],
    ['behind its second flight', {}],
  ])('that has shown one shows no other: %s', (_, config) => {
    const { scene, peer } = clientScene(config)
    const seen: (number | undefined)[] = []
    for (let turn = 0; turn < 2; turn++) {
      const { output } = scene.provoke(scene.genuine)
      seen.push(...typesOf(output))
      peer.receive(output)
      scene.genuine = outputOf(peer)
    }
    scene.subject.abort('user_canceled')
    expect([...seen, ...typesOf(outputOf(scene.subject))].filter(type => type === CCS)).toEqual([CCS])
  })
})
