import { MOST_MEMORY } from './limits.ts'
import { key, type Place, reader, seconds, section, truth, whole } from './readers.ts'

const KEYS = {
  idleSeconds: key('The old name of timers.keepAlive.', seconds(0.1, 3600, undefined)),
  timers: key(
    'How long is waited, and for what; an answer names the one that ran out.',
    section({
      headers: key('A request head, from its first byte to its last: 408.', seconds(0.1, 3600, 10)),
      requestBody: key('The next piece of a request body: 408.', seconds(0.1, 3600, 30)),
      keepAlive: key(
        'The next request (30 s if left out); then the connection is closed.',
        seconds(0.1, 3600, undefined),
      ),
      handler: key('The function, until it begins to answer: 504; 0: for ever.', seconds(0, 86_400, 60)),
      container: key(
        'A container of the function that a request on an open connection is for: 503.',
        seconds(0.01, 3600, 5),
      ),
    }),
  ),
  minimumRate: key(
    'Of request content, on average, while it is waited for: 408.',
    section({
      bytesPerSecond: key('0: as slowly as requestBody lets it.', whole(0, 1_000_000_000, 240)),
      graceSeconds: key(
        'That may be waited before it counts, and that a faster client saves up.',
        seconds(0.1, 3600, 30),
      ),
    }),
  ),
  hibernateSeconds: key(
    'That a connection is kept while its function sleeps, and no keepAlive counts; 0: for ever.',
    seconds(0, 604_800, 3600),
  ),
  verdictSeconds: key(
    'That a process has to say that it has taken a connection which moves to it; then that ends.',
    seconds(0.1, 3600, 60),
  ),
  memoryBytes: key(
    'Bytes that the connections of one container hold together; 0: no limit.',
    whole(0, MOST_MEMORY, 134_217_728),
  ),
  http2: key('Offered by ALPN beside HTTP/1.1.', truth(true)),
  streams: key('Requests at once on one HTTP/2 connection.', whole(1, 10_000, 128)),
  quietSeconds: key(
    'That a request for another function waits for a busy HTTP/2 connection, before it is lent.',
    seconds(0, 60, 0.05),
  ),
  requests: key('Requests on one HTTP/1 connection.', whole(1, 1_000_000_000, 100)),
  headBytes: key('Bytes of a request head.', whole(256, 1_048_576, 16_384)),
  headerFields: key('Fields in a request head.', whole(1, 10_000, 100)),
  bodyBytes: key('Bytes of a request body.', whole(0, 1_073_741_824, 10_485_760)),
}

const KEEP_ALIVE = 30
const keys = section(KEYS)

/** What one connection may do, and how long anything on it is waited for; `handler` 0: for ever. */
export const connection = Object.assign(
  reader(keys.schema, (value: unknown, place: Place) => {
    const { idleSeconds, timers, ...limits } = keys(value, place)
    if (idleSeconds !== undefined && timers.keepAlive !== undefined) {
      place.warnings.push({
        path: `${place.path}.idleSeconds`,
        text:
          'connection.idleSeconds is the old name of connection.timers.keepAlive, ' +
          'which is also set and takes precedence',
      })
    }
    return { ...limits, timers: { ...timers, keepAlive: timers.keepAlive ?? idleSeconds ?? KEEP_ALIVE } }
  }),
  { keys: KEYS },
)
