import { isIP } from 'node:net'
import { expect, it } from 'vitest'
import { familyOf } from '../../../src/tls13/io/ip-address.ts'

// Names, addresses as they are written shortest and longest, and what is nearly one.
const HOSTS = [
  ...['', 'echo.local', 'localhost', 'a:b', ':', '::g', '[::1]', 'fe80::1%', '::1 ', ' 127.0.0.1', '1.2.3'],
  ...['127.0.0.1', '0.0.0.0', '255.255.255.255', '256.0.0.1', '01.2.3.4', '1.2.3.4.5', '127.1', '0x7f.0.0.1'],
  ...['::', '::1', 'fe80::1%eth0', '2001:db8:0:0:0:0:0:1', '1:2:3:4:5:6:7:8:9', '::ffff:1.2.3.4', '1::2::3'],
]

it.each(HOSTS)('says the same of %j as Node', host => {
  expect(familyOf(host)).toBe(isIP(host))
})
