import { concat, EMPTY, fromHex } from '../../../src/wire/index.ts'
import { reshape } from '../../support/reshape.ts'
import { refusedByClients, refusedByServers } from './refusals.ts'

/* What may not be wrong with a Finished. */

refusedByServers([
  [
    '§4.4.4',
    'decrypt_error',
    'wrong_finished',
    "a client's Finished that does not fit",
    reshape('finished', ({ verifyData }) => ({ verifyData: verifyData.with(0, verifyData[0]! ^ 1) })),
  ],
  [
    '§4.4.4',
    'decode_error',
    'wrong_finished_length',
    "a client's Finished of 31 bytes",
    reshape('finished', ({ verifyData }) => ({ verifyData: verifyData.slice(1) })),
  ],
  [
    '§4.4.4',
    'decode_error',
    'wrong_finished_length',
    "a client's empty Finished",
    reshape('finished', () => ({ verifyData: EMPTY })),
  ],
])

refusedByClients([
  [
    '§4.4.4',
    'decrypt_error',
    'wrong_finished',
    "a server's Finished that does not fit",
    reshape('finished', ({ verifyData }) => ({
      verifyData: verifyData.with(31, verifyData[31]! ^ 1),
    })),
  ],
  [
    '§4.4.4',
    'decode_error',
    'wrong_finished_length',
    "a server's Finished of 33 bytes",
    reshape('finished', ({ verifyData }) => ({ verifyData: concat(verifyData, fromHex('00')) })),
  ],
])
