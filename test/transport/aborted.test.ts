import { afterAll, describe, expect, it } from 'vitest'
import { SYSTEM_CLOCK as clock } from '../../src/time/system-clock.ts'
import { nodeTls, tcp, tls } from '../../src/transport/index.ts'
import { listening } from '../../src/transport/kinds/sockets.ts'

/** A server that accepts and says nothing. */
const listener = await listening({ port: 0, host: '127.0.0.1' })
let connections = 0
listener.start(
  ({ transport }) => {
    connections++
    transport.read({ bytes: () => {}, end: () => transport.destroy(), error: () => {} })
  },
  () => {},
)
afterAll(() => listener.close())
const target = { scheme: 'https', host: '127.0.0.1', port: listener.address.port! }

describe.each(['tls', 'nodeTls'])('a handshake of %s', name => {
  it.each(['before', 'as', 'after'])('is given up %s its connection is there', async when => {
    const control = new AbortController()
    const reason = new Error('no more')
    if (when === 'before') control.abort(reason)
    const before = connections
    const slow: typeof tcp = {
      ...tcp,
      async connect(...all) {
        const connected = await tcp.connect(...all)
        if (when === 'as') control.abort(reason)
        return connected
      },
    }
    const over = name === 'tls' ? tls(slow) : nodeTls(slow)
    const connecting = over.connect(target, { signal: control.signal, clock }, {})
    if (when === 'after') {
      while (connections === before) await new Promise(resolve => setTimeout(resolve, 5))
      control.abort(reason)
    }
    await expect(connecting).rejects.toBe(reason)
  })
})
