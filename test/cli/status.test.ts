import { expect, it } from 'vitest'
import { connectionTable, functionStatus, statusText } from '../../src/cli/platform/status.ts'
import { restCounter } from '../../src/platform/counters/rests.ts'
import type { ConnectionStatus } from '../../src/supervisor/sessions.ts'

const connection = (serverName: string): ConnectionStatus =>
  ({
    id: '0123456789abcdef0123456789abcdef',
    container: 'resize-12',
    state: 'handshake',
    age: 3_600_000,
    requests: 123_456,
    hops: 1234,
    generation: 123_456,
    protocol: 'http/1.1',
    serverName,
    tls: true,
    cipherSuite: 'TLS_CHACHA20_POLY1305_SHA256',
  }) as unknown as ConnectionStatus

it('connections stand in lines of at most 110 columns, whatever servers are called', () => {
  for (const name of ['echo.local', `${'long-'.repeat(20)}name.example`]) {
    const [head, line] = connectionTable([connection(name)]).split('\n')
    expect(Math.max(head!.length, line!.length)).toBeLessThanOrEqual(110)
    expect(line).toMatch(/^01234567 +resize-12 /)
    expect(line).toMatch(name.length > 20 ? / long-.*… / : / echo\.local /)
  }
})

it('a function that cannot sleep because of its connections is named, with how many there are', () => {
  const member = (functionName: string, rooted: number) =>
    ({
      name: `${functionName}-1`,
      functionName,
      state: 'ready',
      counters: { connections: 3, rooted },
    }) as never
  const members = [member('chat', 2), member('echo', 0)]
  const bounds = new Map(['chat', 'echo'].map(name => [name, { min: 1, max: 1 }]))
  const functions = functionStatus(bounds, members)
  const text = statusText({ pid: 1, ports: undefined, functions, members, changes: [] })
  expect(text).not.toContain('hibernating')
  expect(text).toContain('kept awake by connections that cannot leave: chat (2)')
})

it('a container whose drain is held up is named, with what and how long', () => {
  const member = (name: string, counters: object) => ({
    name,
    functionName: 'echo',
    state: 'draining',
    counters,
  })
  const members = [member('echo-1', { heldUpBy: 2, heldUpFor: 12_000 }), member('echo-2', { heldUpBy: 0 })]
  const functions = functionStatus(new Map([['echo', { min: 1, max: 1 }]]), members as never)
  const text = statusText({ pid: 1, ports: undefined, functions, members: members as never, changes: [] })
  expect(text).toContain('held up by what cannot move: echo-1 (2, for 12s)')
})

it('containers that did not say which connections they have are named', () => {
  const functions = functionStatus(new Map([['echo', { min: 1, max: 1 }]]), [])
  const status = { pid: 1, ports: undefined, functions, members: [], changes: [], connections: [] }
  expect(statusText({ ...status, silent: [] })).not.toContain('did not answer')
  const text = statusText({ ...status, silent: ['echo-1', 'echo-2'] })
  expect(text).toContain('without the connections of what did not answer: echo-1, echo-2')
})

it('connections that hibernate are told by function', () => {
  const counters = { hibernating: 7, [restCounter('chat')]: 5, [restCounter('echo')]: 2 }
  const members = [{ name: 'gateway', functionName: '', state: 'ready', counters } as never]
  const bounds = new Map(['chat', 'echo', 'hello'].map(name => [name, { min: 1, max: 1 }]))
  const functions = functionStatus(bounds, members)
  const text = statusText({ pid: 1, ports: undefined, functions, members, changes: [] })
  expect(text).toContain('hibernating with the gateway: chat (5), echo (2)')
})
