import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const path = (url: string) => fileURLToPath(new URL(`../../${url}`, import.meta.url))

/** What each example prints; `#` stands for a number that is not always the same. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'client-certificate': [
    'I know you: DNS:alice.example',
    'refused: certificate_required no_certificate',
    'the stranger was told: certificate_required: alert certificate_required from the peer',
  ],
  client: ['200 one two three', 'connect ECONNREFUSED'],
  'composed-provider': ['X25519MLKEM768 TLS_CHACHA20_POLY1305_SHA256 true'],
  'connect-proxy': ['200', 'through the tunnel'],
  'external-psk': ['connected with TLS_AES_128_GCM_SHA256'],
  'https-server': ['200 HTTP/2, secure: true'],
  'key-schedule': [
    'early_secret',
    'handshake_secret',
    'client_handshake_traffic_secret',
    'server_handshake_traffic_secret',
    'master_secret',
    'client_application_traffic_secret_0',
    'server_application_traffic_secret_0',
    'exporter_master_secret',
    'resumption_master_secret',
    '15 arrows in the table, 5 lines for Wireshark',
    'keying material agrees: true',
  ],
  'llm-proxy': [
    ...Array.from({ length: 5 }, () => 'deployed: true'),
    'every token once, and the end: true',
    'the model saw 1 connection and 1 request',
  ],
  'moved-client': ['zeros 1000000', 'connections that the server has seen: 1'],
  'moved-session': [
    'a session in # bytes',
    'the old owner: this session was released: another owner has it',
    'hello from somewhere else',
  ],
  'one-dispatcher': [
    'ours GET /two over HTTP/2',
    'ours GET /one over HTTP/1.1',
    'theirs GET /two over HTTP/2',
    'theirs GET /one over HTTP/1.1',
    'plain GET /two over HTTP/2',
  ],
  'own-transport': ['hello'],
  'remote-signer': ['asked for a signature over 130 bytes', 'connected: true'],
  'resumption-and-early-data': [
    'server: early: true',
    'resumed: true',
    'client: accepted: true',
    'resumed: true',
  ],
  'server-and-client': ['TLS_AES_128_GCM_SHA256 echo', 'Once more, with feeling'],
  'session-in-memory': ['client: handshake_complete', 'server: handshake_complete', 'no socket was needed'],
  'thrown-session': [
    'one is answered by the thrower',
    'two is answered by the catcher',
    'three is answered by the catcher',
    'connections that the server has seen: 1',
  ],
  'unix-socket': ['for app.local'],
}

describe('the examples of the API documentation', () => {
  it('are all run here and all shown there', () => {
    const files = readdirSync(path('docs/examples')).filter(file => file.endsWith('.ts'))
    expect(files.toSorted()).toEqual(Object.keys(EXAMPLES).map(name => `${name}.ts`))
    const shown = readFileSync(path('docs/api/examples.md'), 'utf8')
    for (const file of files) expect(shown).toContain(`{@includeCode ../examples/${file}}`)
  })

  it.each(Object.entries(EXAMPLES))('%s prints what it should', async (name, lines) => {
    const { stdout, stderr } = await run(process.execPath, [path(`dist/docs/examples/${name}.js`)])
    expect(stderr).toBe('')
    const printed = stdout.trimEnd().replace(/(?<=a session in )\d+/, '#')
    expect(printed.split('\n')).toEqual(lines)
  })
})
