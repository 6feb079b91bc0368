import { CARRIERS } from '../platform/carrier.ts'
import { isFunctionName } from '../platform/function-name.ts'
import { acme } from './acme.ts'
import { connection } from './connection.ts'
import { FUNCTION_SCHEMA, type FunctionConfig, readFunction } from './function.ts'
import { hosts } from './hosts.ts'
import { MOST_MEMORY } from './limits.ts'
import { PROVIDER_KEYS } from './openfaas.ts'
import { queue } from './queue.ts'
import {
  asMap,
  below,
  ConfigError,
  directory,
  isText,
  key,
  oneOf,
  port,
  type Reader,
  reader,
  refuse,
  scalar,
  seconds,
  section,
  show,
  truth,
  whole,
} from './readers.ts'
import { trust } from './trust.ts'
import { uidRange } from './uids.ts'

const hostAddress = scalar(
  'an address or a host name to listen on',
  '127.0.0.1',
  value => (isText(value) && /^[A-Za-z0-9.:%_-]+$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^[A-Za-z0-9.:%_-]+$' },
)

/** OpenFaaS writes 1.0, with quotes or without. */
const version: Reader<1> = scalar('1', 1, value => ([1, '1', '1.0'].includes(value as 1) ? 1 : undefined), {
  enum: [1, '1', '1.0'],
})

/** Each has an own process or more. */
const MOST_FUNCTIONS = 1000

/** A label of a host name, in lower case. */
const FUNCTION_NAME = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'

const functionName = scalar(
  'the name of a function',
  undefined,
  value => (typeof value === 'string' && isFunctionName(value) ? value : undefined),
  { type: 'string', pattern: FUNCTION_NAME },
)

/** Which there are is for the provider to say; here only what a name can look like. */
const groupNames: Reader<readonly string[] | undefined> = reader(
  { type: ['array', 'null'], minItems: 1, items: { type: 'string', pattern: '^[A-Za-z0-9]{1,40}$' } },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const allowed = 'a list of names of groups, as [X25519MLKEM768, x25519]'
    const names = Array.isArray(value) ? value : refuse(place.path, allowed, value)
    const odd = names.findIndex(one => !isText(one) || !/^[A-Za-z0-9]{1,40}$/.test(one))
    if (odd >= 0) return refuse(place.path, allowed, names[odd], `${place.path}.${odd}`)
    if (names.length === 0) return refuse(place.path, allowed, value)
    return names as string[]
  },
)

const functions: Reader<ReadonlyMap<string, FunctionConfig>> = reader(
  {
    type: 'object',
    minProperties: 1,
    maxProperties: MOST_FUNCTIONS,
    propertyNames: { pattern: FUNCTION_NAME },
    additionalProperties: FUNCTION_SCHEMA,
  },
  (value, place) => {
    const read = new Map<string, FunctionConfig>()
    const map = asMap(value, place)
    if (map.size > MOST_FUNCTIONS)
      throw new ConfigError(
        `${place.path} must have at most ${MOST_FUNCTIONS} functions, not ${map.size}`,
        place.path,
      )
    for (const [given, entry] of map) {
      const name = String(given)
      if (!isFunctionName(name)) {
        const rule = 'names of 1 to 63 of a-z, 0-9 and -, with no - at either end'
        throw new ConfigError(`${place.path} must have ${rule}, not ${show(name)}`, below(place, name).path)
      }
      read.set(name, readFunction(name, entry, below(place, name)))
    }
    if (read.size === 0) throw new ConfigError(`${place.path} must have at least one function`, place.path)
    return read
  },
)

/** Every key there is but those of functions, with what it may be and what it is by default. */
export const ROOT = section({
  version: key('Of the form of this file.', version),
  runDirectory: key('Where the control socket and the log are.', directory('run')),
  certificates: key('Where the certificates are.', directory('certs')),
  secretsDirectory: key('Where the secrets are that functions name.', directory('secrets')),
  carrier: key(
    "The client's socket itself goes to the container (fd), or stays with the gateway (relay).",
    oneOf(CARRIERS, 'fd'),
  ),
  duplicate: key(
    'With fd: the gateway keeps a copy of each socket, so that idle connections outlive their containers.',
    truth(false),
  ),
  gateway: key(
    'The front door.',
    section({
      host: key('What it listens on.', hostAddress),
      http: key('Its port without TLS; 0: any free one.', port(8080)),
      https: key('Its port with TLS; 0: any free one.', port(8443)),
      defaultFunction: key('For clients that name no host.', functionName),
      limits: key(
        'Of what is opening there.',
        section({
          connections: key('That are opening at a time.', whole(1, 1_000_000, 10_000)),
          helloBytes: key('Bytes of a ClientHello.', whole(512, 65_536, 16_384)),
          helloSeconds: key('That one may take.', seconds(0.1, 300, 5)),
          holdSeconds: key('That a connection waits for a container.', seconds(0, 300, 2)),
          orphanSeconds: key('The same for one whose container has died.', seconds(0, 300, 30)),
          wakeSeconds: key('The same, if its function sleeps.', seconds(0, 300, 30)),
          memoryBytes: key('Bytes that they hold together.', whole(0, MOST_MEMORY, 134_217_728)),
        }),
      ),
    }),
  ),
  admin: key(
    'Where programs of this machine ask for metrics and health.',
    section({
      host: key('An address of the loopback.', oneOf(['127.0.0.1', '::1'], '127.0.0.1')),
      port: key('Left out: there is none; 0: any free one.', whole(0, 65_535, undefined)),
    }),
  ),
  hosts: key('Other hosts, and how they are found; by default there are none.', hosts),
  queue: key('Asynchronous calls.', queue),
  liveness: key(
    'When a process counts as hung.',
    section({
      periodSeconds: key('Between two questions.', seconds(0.1, 3600, 2)),
      failureSeconds: key('Of silence after which it is ended.', seconds(1, 3600, 10)),
      busySeconds: key('The same for one that shows that it works.', seconds(1, 3600, 60)),
      startSeconds: key(
        'That it has to become ready, once it is started: few start at a time.',
        seconds(1, 3600, 60),
      ),
    }),
  ),
  log: key(
    'The log file in the run directory.',
    section({
      maxBytes: key('Then the next file is begun.', whole(4096, 1_073_741_824, 10_485_760)),
      files: key('That are kept.', whole(1, 100, 5)),
      bytesPerSecond: key('That one process may write.', whole(1024, 1_073_741_824, 262_144)),
    }),
  ),
  rehearsals: key('Moves that a container practises with itself; 0: none.', whole(0, 1_000_000, 6000)),
  teach: key(
    'Whether secrets of connections are told, to `move --dump` and `ui --teach`: for learning alone.',
    truth(false),
  ),
  rehearsalSeconds: key('That `deploy` and `scale` wait for that, at most.', seconds(0, 3600, 10)),
  restart: key(
    'How processes that end are started again.',
    section({
      firstSeconds: key('Until the first time; doubled each time.', seconds(0.01, 3600, 0.1)),
      mostSeconds: key('At most.', seconds(0.01, 3600, 10)),
      healthySeconds: key('Ready for so long: what ended before is forgotten.', seconds(0.1, 3600, 10)),
      crashLoop: key('Ends in a row without that make a crash loop.', whole(2, 1000, 5)),
    }),
  ),
  tls: key(
    'TLS in the containers.',
    section({
      groups: key('Key exchange groups, in order of preference.', groupNames),
      signatureSeconds: key('That a handshake waits for the signer.', seconds(0.1, 300, 10)),
      extendedKeyUpdate: key(
        'Whether keys are made anew after each move, with clients that offer it.',
        truth(false),
      ),
      tickets: key(
        'Session tickets.',
        section({
          count: key('After a full handshake; 0: no resumption.', whole(0, 16, 2)),
          lifetimeSeconds: key('That one is good for.', seconds(1, 604_800, 7200)),
          rotationSeconds: key('Until the next key seals them.', seconds(1, 604_800, 3600)),
        }),
      ),
      acme: key("Certificates from Let's Encrypt, or from another authority that speaks ACME.", acme),
    }),
  ),
  connection: key('What one connection may do.', connection),
  warmPool: key(
    'Processes that have loaded all that a container needs, and wait for a function that wakes.',
    whole(0, 64, 0),
  ),
  isolationUids: key('User ids for functions that have one of their own, if root starts them.', uidRange),
  trust: key('Groups of functions that may keep connections of each other.', trust),
  functions: key('The functions, by name.', functions),
  ...PROVIDER_KEYS,
})
