/*
 * What teach mode shows: each lesson is a connection that `hotpotato connect` makes and records.
 */

import type { ServerKind } from './servers.ts'

/** One connection that is worth a look. */
export interface Lesson {
  readonly id: string
  readonly title: string
  /** Options of `connect`. */
  readonly options: readonly string[]
  /** Whom it is made to: the platform, or a `serve` of its own for what functions do not do. */
  readonly server: 'platform' | Exclude<ServerKind, 'guests'>
  /** A file that is sent as early data: the first request. */
  readonly early?: true
  /** It shows a certificate of its own. */
  readonly certificate?: true
  /** A second request, for another function, so that the connection moves. */
  readonly moves?: true
  /** The request does not ask for the end of the connection: what comes behind it is read. */
  readonly goesOn?: true
}

export const LESSONS: readonly Lesson[] = [
  { id: 'full', title: 'A full handshake', options: [], server: 'platform' },
  { id: 'retry', title: 'HelloRetryRequest', options: ['--key-shares', ''], server: 'platform' },
  {
    ...{ id: 'classic', title: 'X25519 alone', server: 'platform' },
    options: ['--groups', 'x25519'],
  },
  {
    ...{ id: 'hybrid', title: 'A post-quantum group', server: 'platform' },
    options: ['--groups', 'X25519MLKEM768'],
  },
  { id: 'resumption', title: 'Resumption', options: ['--resume'], server: 'platform' },
  { id: 'stale', title: 'An expired ticket', options: ['--resume', '--stale'], server: 'short' },
  { id: 'key-update', title: 'KeyUpdate', options: ['--key-update'], server: 'platform' },
  { id: 'move', title: 'A move', options: [], server: 'platform', moves: true },
  { id: 'early', title: '0-RTT', options: [], server: 'early', early: true },
  { id: 'certificate', title: 'A client certificate', options: [], server: 'early', certificate: true },
  { id: 'flip', title: 'Flip a bit', options: ['--break', 'flip'], server: 'platform' },
  { id: 'drop', title: 'Drop a record', options: ['--break', 'drop'], server: 'platform' },
  {
    ...{ id: 'replay', title: 'Replay a record', server: 'platform', goesOn: true },
    options: ['--break', 'replay'],
  },
]
