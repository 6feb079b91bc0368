import { Flow } from '../../transfer/tcp/flow.ts'
import { QUEUE_LIMIT } from '../../transfer/tcp/state.ts'
import {
  enumeration,
  opaque,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
  vector,
} from '../../wire/index.ts'

/* What a process asks of `hotpotato netd`, and is answered. Descriptors travel beside the message. */

/** The asker's number of a request; the answer has the same. */
const ticket = uint32
/** A `TcpState`, encoded: three queues, and what is said of them. */
const state = opaque(1, 3 * QUEUE_LIMIT + 1024)
/** Four bytes or sixteen; none: no address. */
const address = opaque(0, 16)
/** Connections that are steered at a time. */
export const MOST_FLOWS = 65_535
const steered = struct('Steered', { flow: Flow, to: address })
export type Steered = TypeOf<typeof steered>

export const NetdRequest = select(
  'NetdRequest',
  'kind',
  enumeration('NetdRequestKind', uint8, {
    take: 1,
    make: 2,
    wake: 3,
    speak: 4,
    hush: 5,
    steer: 6,
    flows: 7,
  }),
  {
    /** Beside it a connection, which neither hears nor speaks when the answer comes. */
    take: struct('TakeConnection', { ticket }),
    make: struct('MakeConnection', { ticket, state }),
    /** Beside it a connection that was taken or made: from then on it hears and speaks. */
    wake: struct('WakeConnection', { ticket }),
    /** Beside it one that was made: what is written to it leaves from then on, and it hears nothing. */
    speak: struct('SpeakConnection', { ticket }),
    /** Beside it one that speaks, and has never heard anything: it is silent again. */
    hush: struct('HushConnection', { ticket }),
    /** What its client sends goes on to that address, of a host beside this one; empty: it stays here. */
    steer: struct('SteerConnection', { ticket, flow: Flow, to: address }),
    /** Which connections are steered. */
    flows: struct('AskFlows', { ticket }),
  },
)
export type NetdRequest = TypeOf<typeof NetdRequest>

export const NetdAnswer = select(
  'NetdAnswer',
  'kind',
  enumeration('NetdAnswerKind', uint8, {
    taken: 1,
    made: 2,
    awake: 3,
    refused: 4,
    done: 5,
    flows: 6,
  }),
  {
    taken: struct('TakenConnection', { ticket, state }),
    /** Beside it the connection, which is to be woken. */
    made: struct('MadeConnection', { ticket }),
    awake: struct('AwakeConnection', { ticket }),
    /** It speaks, is silent, or is steered. */
    done: struct('DoneRequest', { ticket }),
    flows: struct('SteeredFlows', { ticket, flows: vector(steered, 0, MOST_FLOWS * 64) }),
    refused: struct('RefusedRequest', { ticket, reason: text(1, 255) }),
  },
)
export type NetdAnswer = TypeOf<typeof NetdAnswer>

/** The directory of its socket, in the run directory, and the socket's name there. */
export const NETD = { directory: 'netd', socket: 'netd.sock' } as const
