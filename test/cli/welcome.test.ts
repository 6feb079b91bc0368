import { expect, it } from 'vitest'
import { welcome } from '../../src/cli/up/welcome.ts'
import { parseConfig } from '../../src/stack/config.ts'

const PORTS = { http: 8080, https: 8443 }
const said = (functions: string, broken: readonly string[] = []): Promise<string> =>
  welcome(parseConfig(`functions: { ${functions} }`, '/x').config, PORTS, new Set(broken), one => one)

const SEALED = 'vault: { sealed: { bundle: vault.potato } }'
const GUARDED = 'guarded: { handler: ./guarded.mjs, clientAuthorities: ca.crt }'

it('shows functions that any client can call: none asks for a key or certificate, or is broken', async () => {
  const text = await said(`${SEALED}, ${GUARDED}, broken: , echo: , hello: `, ['broken'])
  expect(text).toContain('https://echo.localhost:8443/echo https://echo.localhost:8443/hello ')
  expect(text.slice(text.indexOf('one connection'))).not.toMatch(/vault|guarded|broken/)
  expect(text).toMatch(/^ {2}serves {2}vault /m)
})

it('shows one function where there is no other, and no command where there is none', async () => {
  expect(await said(`${SEALED}, echo: `)).toMatch(/\none connection:\n {2}curl .* https:\S+\/echo\nthe same/)
  const none = await said(SEALED)
  expect(none).toContain('hotpotato is running')
  expect(none).not.toContain('curl')
})
