import { QUEUE_LIMIT } from '../../transfer/tcp/state.ts'
import { enumeration, opaque, select, struct, type TypeOf, text, uint8, uint32 } from '../../wire/index.ts'

/* What a process asks of `hotpotato netd`, and is answered. Descriptors travel beside the message. */

/** The asker's number of a request; the answer has the same. */
const ticket = uint32
/** A `TcpState`, encoded: three queues, and what is said of them. */
const state = opaque(1, 3 * QUEUE_LIMIT + 1024)

export const NetdRequest = select(
  'NetdRequest',
  'kind',
  enumeration('NetdRequestKind', uint8, { take: 1, make: 2, wake: 3 }),
  {
    /** Beside it a connection, which neither hears nor speaks when the answer comes. */
    take: struct('TakeConnection', { ticket }),
    make: struct('MakeConnection', { ticket, state }),
    /** Beside it a connection that was taken or made: from then on it hears and speaks. */
    wake: struct('WakeConnection', { ticket }),
  },
)
export type NetdRequest = TypeOf<typeof NetdRequest>

export const NetdAnswer = select(
  'NetdAnswer',
  'kind',
  enumeration('NetdAnswerKind', uint8, { taken: 1, made: 2, awake: 3, refused: 4 }),
  {
    taken: struct('TakenConnection', { ticket, state }),
    /** Beside it the connection, which is to be woken. */
    made: struct('MadeConnection', { ticket }),
    awake: struct('AwakeConnection', { ticket }),
    refused: struct('RefusedRequest', { ticket, reason: text(1, 255) }),
  },
)
export type NetdAnswer = TypeOf<typeof NetdAnswer>

/** The directory of its socket, in the run directory, and the socket's name there. */
export const NETD = { directory: 'netd', socket: 'netd.sock' } as const
