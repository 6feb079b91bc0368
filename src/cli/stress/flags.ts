import type { Flags } from '../flags.ts'

/** What `stress` takes. */
export const STRESS_FLAGS = {
  connections: { kind: 'text', value: 'N', help: 'connections at a time; 50 unless told (-c)' },
  requests: { kind: 'text', value: 'N', help: 'how many in all; 200 unless told (-n)' },
  seconds: { kind: 'text', value: 'N', help: 'so long, however many that are; instead of --requests (-d)' },
  rate: {
    kind: 'text',
    value: 'R',
    help: 'requests a second, whether answers come or not; else as fast as they come',
  },
  http: { kind: 'text', value: '1.1|2', help: 'version of HTTP; 1.1 unless told' },
  'new-connections': { kind: 'switch', help: 'a connection for each request' },
  method: { kind: 'text', value: 'METHOD', help: 'GET unless told, POST with --data' },
  data: { kind: 'text', value: 'TEXT', help: 'content of each request; @FILE: the content of a file' },
  header: { kind: 'text', value: '"NAME: VALUE"', help: 'one header field more' },
  timeout: { kind: 'text', value: 'SECONDS', help: 'for one answer; 30 unless told' },
  ca: { kind: 'text', value: 'FILE', help: 'whom to trust for the server, PEM' },
  insecure: { kind: 'switch', help: 'trust any server' },
  json: { kind: 'switch', help: 'the result as JSON' },
  help: { kind: 'switch', help: 'this text' },
} as const satisfies Flags
