import {
  BEYOND,
  BUCKETS,
  isCallCounter,
  MILLISECONDS,
  readCallCounter,
} from '../../platform/counters/calls.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import type { MemberStatus } from '../status.ts'
import type { Tally } from './tally.ts'

/** One value of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  /** Of a histogram: the metric's name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string
}

/** A metric as Prometheus knows it. */
export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly values: readonly Sample[]
}

/** What metrics are made of. */
export interface Observed {
  readonly tally: Tally
  readonly members: readonly MemberStatus[]
}

type Of = 'function' | 'gateway' | 'queue'

/** A metric that is one counter of processes, or several of them told apart by a label. */
interface Counted {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly of: Of
  /** By the value of the label `kind`; with the empty text there is no such label. */
  readonly counters: Readonly<Record<string, string>>
}

const UNCLEAN = { lost: 'uncleanLost', orphaned: 'uncleanOrphaned', undecided: 'uncleanUndecided' }

/** Ours. OpenFaaS's are made of calls: see {@link ofCalls}. */
const COUNTED: readonly Counted[] = [
  {
    name: 'http_requests_in_flight',
    type: 'gauge',
    help: 'Requests that functions work on now.',
    of: 'function',
    counters: { '': 'inFlight' },
  },
  {
    name: 'hotpotato_connections',
    type: 'gauge',
    help: 'Connections that live in containers.',
    of: 'function',
    counters: { '': 'connections' },
  },
  {
    name: 'hotpotato_moves_total',
    type: 'counter',
    help: 'Connections that containers have taken, from the gateway or from each other.',
    of: 'function',
    counters: { '': 'accepted' },
  },
  {
    name: 'hotpotato_hops_total',
    type: 'counter',
    help: 'Connections that containers have given to other containers.',
    of: 'function',
    counters: { '': 'moved' },
  },
  {
    name: 'hotpotato_returns_total',
    type: 'counter',
    help: 'Connections that have come back to a seat.',
    of: 'function',
    counters: { '': 'returned' },
  },
  {
    name: 'hotpotato_take_overs_total',
    type: 'counter',
    help: 'Connections that containers have taken over from containers that died.',
    of: 'function',
    counters: { '': 'takenOver' },
  },
  {
    name: 'hotpotato_checkpoints_total',
    type: 'counter',
    help: 'Checkpoints that containers have left for their successors.',
    of: 'function',
    counters: { '': 'checkpoints' },
  },
  {
    name: 'hotpotato_refused_total',
    type: 'counter',
    help: 'What containers have refused: connections, and requests beyond maxInflight.',
    of: 'function',
    counters: { connection: 'refused', request: 'tooMany' },
  },
  {
    name: 'hotpotato_failures_total',
    type: 'counter',
    help: 'Connections that ended by faults of the platform, and errors thrown outside of calls.',
    of: 'function',
    counters: { connection: 'failed', owner: 'unclean', uncaught: 'uncaught' },
  },
  {
    name: 'hotpotato_held_bytes',
    type: 'gauge',
    help: 'Bytes that connections hold in containers.',
    of: 'function',
    counters: { '': 'heldBytes' },
  },
  {
    name: 'hotpotato_shed_total',
    type: 'counter',
    help: 'Requests and connections that were given up for the memory that they held.',
    of: 'function',
    counters: { '': 'shed' },
  },
  {
    name: 'hotpotato_hibernating_connections',
    type: 'gauge',
    help: 'Connections that the gateway keeps for functions without a process.',
    of: 'gateway',
    counters: { '': 'hibernating' },
  },
  {
    name: 'hotpotato_unclean_ends_total',
    type: 'counter',
    help: 'Connections that the gateway saw end without a proper end, by no choice of their clients.',
    of: 'gateway',
    counters: { ...UNCLEAN, broken: 'uncleanBroken', failed: 'uncleanFailed' },
  },
  {
    name: 'hotpotato_gateway_delivered_total',
    type: 'counter',
    help: 'Fresh connections that the gateway has handed to containers.',
    of: 'gateway',
    counters: { '': 'delivered' },
  },
  {
    name: 'hotpotato_gateway_dropped_total',
    type: 'counter',
    help: 'Connections that the gateway has turned away because too many were opening.',
    of: 'gateway',
    counters: { '': 'dropped' },
  },
  {
    name: 'hotpotato_queue_calls',
    type: 'gauge',
    help: 'Asynchronous calls that wait or are underway.',
    of: 'queue',
    counters: { '': 'queued' },
  },
  {
    name: 'hotpotato_queue_bytes',
    type: 'gauge',
    help: 'Bytes of these.',
    of: 'queue',
    counters: { '': 'queuedBytes' },
  },
  {
    name: 'hotpotato_queue_tries_total',
    type: 'counter',
    help: 'Calls of functions and of callbacks that the queue has made.',
    of: 'queue',
    counters: { '': 'queueTries' },
  },
  {
    name: 'hotpotato_queue_dead_letters_total',
    type: 'counter',
    help: 'Asynchronous calls that were given up.',
    of: 'queue',
    counters: { '': 'queueBuried' },
  },
]

/** The counters that only go up: those that a {@link Tally} has to add up. */
export const COUNTERS: readonly string[] = COUNTED.filter(({ type }) => type === 'counter').flatMap(
  ({ counters }) => Object.values(counters),
)

/** All metrics there are, with their values. */
export function metricsOf(observed: Observed): Metric[] {
  return [...ofCalls(observed), ...ofReplicas(observed), ...COUNTED.map(one => counted(one, observed))]
}

function functionsOf({ tally, members }: Observed): readonly string[] {
  const names = [...tally.names, ...members.map(one => one.functionName)]
  return [...new Set(names)].filter(name => name !== '').sort()
}

function counted({ name, type, help, of, counters }: Counted, observed: Observed): Metric {
  const { tally } = observed
  const owners = of === 'function' ? functionsOf(observed) : [of === 'queue' ? QUEUE_FUNCTION : '']
  const values = owners.flatMap(owner =>
    Object.entries(counters).map(([kind, counter]) => ({
      labels: { ...(of === 'function' ? { function_name: owner } : {}), ...(kind === '' ? {} : { kind }) },
      value: type === 'counter' ? (tally.totals(owner).get(counter) ?? 0) : tally.now(owner, counter),
    })),
  )
  return { name, type, help, values }
}

/** What was counted of calls with one status. */
interface Calls {
  readonly labels: { readonly function_name: string; readonly code: number }
  /** As `platform/counters/calls.ts` has their places. */
  readonly places: number[]
}

function callsOf(observed: Observed): Calls[] {
  return functionsOf(observed).flatMap(functionName => {
    const byStatus = new Map<number, Calls>()
    for (const [name, count] of observed.tally.totals(functionName)) {
      if (!isCallCounter(name)) continue
      const { status, place } = readCallCounter(name)
      const calls = byStatus.get(status) ?? {
        labels: { function_name: functionName, code: status },
        places: new Array<number>(MILLISECONDS + 1).fill(0),
      }
      calls.places[place] = count
      byStatus.set(status, calls)
    }
    return [...byStatus.values()].sort((one, other) => one.labels.code - other.labels.code)
  })
}

function ofCalls(observed: Observed): Metric[] {
  const calls = callsOf(observed)
  const total = ({ labels, places }: Calls): Sample => ({ labels, value: countOf(places) })
  const started = functionsOf(observed).map(functionName => {
    const ended = calls.filter(({ labels }) => labels.function_name === functionName)
    const value = ended.reduce((sum, { places }) => sum + countOf(places), 0)
    return {
      labels: { function_name: functionName },
      value: value + observed.tally.now(functionName, 'inFlight'),
    }
  })
  return [
    {
      name: 'gateway_function_invocation_total',
      type: 'counter',
      help: 'Calls of functions that have ended, by status.',
      values: calls.map(total),
    },
    {
      name: 'gateway_function_invocation_started',
      type: 'counter',
      help: 'Calls of functions that have begun.',
      values: started,
    },
    histogram('gateway_functions_seconds', 'How long calls of functions took, by status.', calls),
    {
      name: 'http_requests_total',
      type: 'counter',
      help: 'Requests that containers have answered by calling their functions, by status.',
      values: calls.map(total),
    },
    histogram('http_request_duration_seconds', 'How long those requests took, by status.', calls),
  ]
}

function histogram(name: string, help: string, calls: readonly Calls[]): Metric {
  const values = calls.flatMap(({ labels, places }) => {
    let below = 0
    const buckets = BUCKETS.map((bound, place) => {
      below += places[place]!
      return { labels: { le: bound, ...labels }, value: below, metricName: `${name}_bucket` }
    })
    const count = countOf(places)
    return [
      ...buckets,
      { labels: { le: '+Inf', ...labels }, value: count, metricName: `${name}_bucket` },
      { labels, value: places[MILLISECONDS]! / 1000, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ]
  })
  return { name, type: 'histogram', help, values }
}

function countOf(places: readonly number[]): number {
  return places.slice(0, BEYOND + 1).reduce((sum, count) => sum + count, 0)
}

function ofReplicas(observed: Observed): Metric[] {
  const { members } = observed
  const service = functionsOf(observed).map(functionName => ({
    labels: { function_name: functionName },
    value: members.filter(one => one.functionName === functionName && one.ready).length,
  }))
  const labelsOf = ({ name, role }: MemberStatus) => ({ name, role })
  return [
    {
      name: 'gateway_service_count',
      type: 'gauge',
      help: 'Containers of a function that are ready.',
      values: service,
    },
    {
      name: 'hotpotato_restarts',
      type: 'gauge',
      help: 'How often the process of a replica was started again.',
      values: members.map(one => ({ labels: labelsOf(one), value: one.restarts })),
    },
    {
      name: 'hotpotato_resident_bytes',
      type: 'gauge',
      help: 'Memory of the process of a replica.',
      values: members.flatMap(one =>
        one.counters.rssKiB === undefined
          ? []
          : [{ labels: labelsOf(one), value: one.counters.rssKiB * 1024 }],
      ),
    },
  ]
}
