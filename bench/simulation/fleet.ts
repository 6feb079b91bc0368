import { type Latency, type Mixture, meanService, simulateCore } from './queue.ts'

/** What is supposed. */
export interface Fleet {
  readonly hosts: number
  /** For each host: cores that serve, memory in bytes, failures a day. */
  readonly cores: number
  readonly memory: number
  readonly failures: number
  readonly connections: number
  /** Requests a second on each connection. */
  readonly rate: number
  /** Bytes for each connection; µs of a core for each new one. */
  readonly perConnection: number
  readonly handshake: number
}

/** What follows. */
export interface Prediction extends Latency {
  readonly hosts: number
  readonly connections: number
  /** Share of a host's memory that connections take. */
  readonly memory: number
  /** Connections that one host can hold: by its cores, at {@link TARGET}, and by its memory. */
  readonly capacity: { readonly cores: number; readonly memory: number }
  /** Hosts that so many connections need, one of them spare. */
  readonly needed: number
  /**
   * Seconds that the others need until all connections of a failed host have made a new handshake; infinite
   * if they have no time for it.
   */
  readonly recovery: number
  /** Connections that lose their host, a day. */
  readonly lost: number
}

/** The share of the time that a core should be busy at most: beyond it, waiting grows faster than work. */
export const TARGET = 0.7

/** Cores are alike and requests spread evenly, so that one core stands for all. */
export function predict(fleet: Fleet, mixture: Mixture): Prediction {
  const { hosts, cores, memory, failures, connections, rate, perConnection, handshake } = fleet
  const busy = (meanService(mixture) * rate) / 1e6
  const capacity = {
    cores: Math.floor((cores * TARGET) / busy),
    memory: Math.floor(memory / perConnection),
  }
  const latency = simulateCore(mixture, (connections * rate) / (hosts * cores))
  const free = (hosts - 1) * cores - connections * busy
  return {
    hosts,
    connections,
    ...latency,
    memory: (connections * perConnection) / (hosts * memory),
    capacity,
    needed: Math.ceil(connections / Math.min(capacity.cores, capacity.memory)) + 1,
    recovery: free <= 0 ? Number.POSITIVE_INFINITY : ((connections / hosts) * handshake) / 1e6 / free,
    lost: failures * connections,
  }
}
