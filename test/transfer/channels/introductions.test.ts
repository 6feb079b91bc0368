import { beforeEach, expect, it } from 'vitest'
import { Introductions } from '../../../src/transfer/channels/introductions.ts'
import type { Peer, PeerRole } from '../../../src/transfer/control.ts'
import type { Descriptor } from '../../../src/transfer/stream.ts'

let said: unknown[]
let introductions: Introductions
beforeEach(() => {
  said = []
  introductions = new Introductions({
    introduce: ({ id }) => {
      if (id === 99) throw new RangeError('a key that is none')
      said.push(['known', id])
    },
    introduced: ({ id, publicKey }, how) => said.push([how, id, publicKey[0]]),
    senseless: (from, reason) => said.push(['senseless', from, reason]),
  })
})

const peer = (id: number, role: PeerRole): Peer => ({
  ...{ id, role, name: `one-${id}`, functionName: '' },
  publicKey: new Uint8Array(32).fill(id),
})
const ends = (name: string) => [{ close: () => said.push(['closed', name]) }] as unknown as Descriptor[]

it('a peer is known at once where none has to wait', () => {
  introductions.take(0, { kind: 'introduce', peer: peer(1, 'gateway') }, ends('a'))
  introductions.take(0, { kind: 'expect', peer: peer(2, 'container') }, ends('b'))
  expect(said).toEqual([
    ['known', 1],
    ['introduce', 1, 1],
    ['known', 2],
    ['expect', 2, 2],
  ])
})

it('a peer waits until those of its role are admitted, with a key of its own', () => {
  introductions.defer(['gateway', 'signer'])
  const borrowed = peer(3, 'gateway')
  introductions.take(0, { kind: 'introduce', peer: borrowed }, ends('a'))
  borrowed.publicKey.fill(0)
  introductions.admit('signer')
  expect(said).toEqual([])
  introductions.admit('gateway')
  introductions.admit('gateway')
  expect(said).toEqual([
    ['known', 3],
    ['introduce', 3, 3],
  ])
})

it('a peer that ends while it waits is never known, and its end of the pair is closed', () => {
  introductions.defer(['gateway'])
  introductions.take(0, { kind: 'introduce', peer: peer(4, 'gateway') }, ends('a'))
  expect([introductions.gone(4), introductions.gone(4)]).toEqual([true, false])
  introductions.admit('gateway')
  expect(said).toEqual([['closed', 'a']])
})

it('a peer whose key is none is told of, and costs no other one', () => {
  introductions.take(7, { kind: 'introduce', peer: peer(99, 'gateway') }, ends('a'))
  expect(said).toEqual([
    ['closed', 'a'],
    ['senseless', 7, 'a key that is none'],
  ])
})
