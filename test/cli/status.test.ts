import { expect, it } from 'vitest'
import { connectionTable } from '../../src/cli/platform/status.ts'
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
