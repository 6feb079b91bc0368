import type { Flags } from '../line/flags.ts'

/** What `stress` takes. */
export const STRESS_FLAGS = {
  connections: { kind: 'text', short: 'c', value: 'N', help: 'connections at a time; default: 50' },
  streams: {
    kind: 'text',
    short: 'm',
    value: 'N',
    help: 'requests at a time on each connection, with --http2; default: 1',
  },
  workers: { kind: 'text', short: 'w', value: 'N', help: 'threads that share the connections; default: 1' },
  requests: { kind: 'text', short: 'n', value: 'N', help: 'requests in all; default: 200' },
  duration: { kind: 'text', short: 'd', value: 'TIME', help: 'how long, instead of --requests: 10s, 1m30s' },
  warmup: { kind: 'text', value: 'TIME', help: 'how long requests are made before they count; default: 0s' },
  rate: {
    kind: 'text',
    short: 'r',
    value: 'R',
    help: 'requests a second, whether answers come or not; default: as fast as they come',
  },
  http2: { kind: 'switch', help: 'HTTP/2, without TLS with prior knowledge; default: HTTP/1.1' },
  reconnect: { kind: 'switch', help: 'open a connection for each request' },
  resume: { kind: 'switch', help: 'with --reconnect: resume the TLS session of the connection before' },
  method: { kind: 'text', value: 'METHOD', help: 'default: GET, or POST with --data' },
  data: { kind: 'text', value: 'TEXT', help: 'content of each request; @FILE: the content of that file' },
  header: { kind: 'each', short: 'H', value: '"NAME: VALUE"', help: 'one more header field' },
  mix: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'requests that differ: JSON, a list of {path, method, headers, body, weight}',
  },
  timeout: { kind: 'text', value: 'SECONDS', help: 'how long to wait for one answer; default: 30' },
  resolve: {
    kind: 'list',
    value: 'HOST:PORT:ADDRESS',
    help: 'where HOST is at PORT, as for curl; * for HOST: any',
  },
  tls: {
    kind: 'text',
    among: ['ours', 'node'],
    help: 'whose TLS: that of node:tls knows 1.2; default: ours',
  },
  ca: { kind: 'text', value: 'FILE', completes: 'file', help: 'the authorities to trust, PEM' },
  insecure: { kind: 'switch', help: 'do not check the certificate of the server' },
  'max-errors': {
    kind: 'text',
    value: 'N|N%',
    help: 'failures, or their part, up to which the status is 0; default: 0',
  },
  hdr: { kind: 'text', value: 'FILE', completes: 'file', help: 'write times as a log of HdrHistogram' },
  json: { kind: 'switch', help: 'print the result as JSON' },
} as const satisfies Flags
