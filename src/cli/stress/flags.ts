import type { Flags } from '../line/flags.ts'

/** What `stress` takes. */
export const STRESS_FLAGS = {
  connections: { kind: 'text', short: 'c', value: 'N', help: 'connections at a time; default: 50' },
  requests: { kind: 'text', short: 'n', value: 'N', help: 'requests in all; default: 200' },
  seconds: { kind: 'text', short: 'd', value: 'N', help: 'how long, instead of --requests' },
  rate: {
    kind: 'text',
    value: 'R',
    help: 'requests a second, whether answers come or not; default: as fast as they come',
  },
  http: { kind: 'text', value: '1.1|2', help: 'version of HTTP; default: 1.1' },
  'new-connections': { kind: 'switch', help: 'open a connection for each request' },
  method: { kind: 'text', value: 'METHOD', help: 'default: GET, or POST with --data' },
  data: { kind: 'text', value: 'TEXT', help: 'content of each request; @FILE: the content of that file' },
  header: { kind: 'text', value: '"NAME: VALUE"', help: 'one more header field' },
  timeout: { kind: 'text', value: 'SECONDS', help: 'how long to wait for one answer; default: 30' },
  resolve: {
    kind: 'list',
    value: 'HOST:PORT:ADDRESS',
    help: 'where HOST is at PORT, as for curl; * for HOST: any',
  },
  ca: { kind: 'text', value: 'FILE', completes: 'file', help: 'the authorities to trust, PEM' },
  insecure: { kind: 'switch', help: 'do not check the certificate of the server' },
  json: { kind: 'switch', help: 'print the result as JSON' },
} as const satisfies Flags
