import { describe, expect, it } from 'vitest'
import { peerName } from '../../../src/tls13/io/peer-name.ts'

describe('the name of a server', () => {
  it.each([
    ['echo.local', 'echo.local'],
    ['Echo.Local', 'Echo.Local'],
    ['echo.local.', 'echo.local'],
    ['a_b.example', 'a_b.example'],
    ['écho.local', 'xn--cho-9la.local'],
    ['ÉCHO.local.', 'xn--cho-9la.local'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['例え。テスト', 'xn--r8jz45g.xn--zckzah'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s is asked for as %s', (host, name) => {
    expect(peerName(host)).toEqual({ name, serverName: name })
  })

  it.each(['127.0.0.1', '::1', 'fe80::1'])('%s is checked, and not asked for', host => {
    expect(peerName(host)).toEqual({ name: host })
  })

  it.each(['', '.', '..', 'a..b', 'echo local', 'echo.local:443', '[::1]', 'a/b', 'a\0b', '\u00ad', 'é é'])(
    '%j is none',
    host => {
      expect(() => peerName(host)).toThrow(/is not a host name/)
    },
  )
})
