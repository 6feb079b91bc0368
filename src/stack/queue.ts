import { join } from 'node:path'
import type { AsyncSettings, QueueSettings } from '../platform/queue-settings.ts'
import {
  type KeyValues,
  key,
  path,
  type Reader,
  reader,
  refuse,
  seconds,
  section,
  truth,
  whole,
} from './readers.ts'

/** A tebibyte. */
const MOST_BYTES = 2 ** 40

const HOST = /^(?:\*|(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?)$/i

const callbacks: Reader<readonly string[]> = reader(
  { type: ['array', 'null'], items: { type: 'string', minLength: 1 }, default: [] },
  (value, place) => {
    if (value === undefined || value === null) return []
    const allowed = 'a list of hosts, as hooks.example.com, "*.example.com", hooks.local:8000 or "*"'
    if (!Array.isArray(value)) return refuse(place.path, allowed, value)
    const odd = value.findIndex(one => typeof one !== 'string' || !HOST.test(one))
    return odd < 0 ? value : refuse(place.path, allowed, value[odd], `${place.path}.${odd}`)
  },
)

const QUEUE_KEYS = {
  enabled: key('Whether /async-function/NAME is there; a process of its own keeps the calls.', truth(false)),
  directory: key(
    'Where they lie; by default `queue` in the run directory.',
    path('the path of a directory', undefined),
  ),
  callbacks: key(
    'Hosts that X-Callback-Url may name; * is any on the public internet. None by default.',
    callbacks,
  ),
  callBytes: key('Bytes of content of one call.', whole(0, 2 ** 30, 1_048_576)),
  answerBytes: key('Bytes of an answer that is kept for its callback.', whole(1, 2 ** 30, 1_048_576)),
  calls: key('That may wait.', whole(1, 1_000_000, 10_000)),
  bytes: key('That they may have together.', whole(1, MOST_BYTES, 268_435_456)),
  concurrency: key('Calls that are underway at once.', whole(1, 10_000, 64)),
  deadLetters: key('Calls that were given up and are kept; the oldest go first.', whole(0, 1_000_000, 1000)),
}

/** `queue`. */
export const queue = section(QUEUE_KEYS)
export type QueueConfig = KeyValues<typeof QUEUE_KEYS>

const ASYNC_KEYS = {
  retries: key('Tries after the first one.', whole(0, 1000, 10)),
  firstSeconds: key('Before the first of them, at most; doubled each time.', seconds(0.01, 3600, 1)),
  mostSeconds: key('Between two tries, at most.', seconds(0.01, 86_400, 60)),
  timeoutSeconds: key('That a call may take.', seconds(0.1, 86_400, 90)),
  concurrency: key('Calls of the function that are underway at once.', whole(1, 10_000, 8)),
}

/** `async` of a function. */
export const asynchronous = section(ASYNC_KEYS)
export type AsyncConfig = KeyValues<typeof ASYNC_KEYS>

/** What of a function's configuration concerns its asynchronous calls. */
interface Called {
  readonly async: AsyncConfig
  readonly sealed?: object | undefined
}

/** What the container of the queue is told. @param whole the configuration */
export function queueSettings({
  queue: { enabled: _, directory, ...limits },
  runDirectory,
  functions,
}: {
  readonly queue: QueueConfig
  readonly runDirectory: string
  readonly functions: ReadonlyMap<string, Called>
}): QueueSettings {
  const ofFunction = ({ async, sealed }: Called): AsyncSettings => ({
    retries: async.retries,
    first: async.firstSeconds * 1000,
    most: async.mostSeconds * 1000,
    timeout: async.timeoutSeconds * 1000,
    concurrency: async.concurrency,
    ...(sealed === undefined ? {} : { sealed: true }),
  })
  return {
    ...limits,
    directory: directory ?? join(runDirectory, 'queue'),
    functions: Object.fromEntries([...functions].map(([name, one]) => [name, ofFunction(one)])),
  }
}
