import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LONG, LONG_ALONE } from '../support/long.ts'

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

/** Those that start a platform, with what shows the same in a short run. */
const ALONE = { 'llm-proxy': 'test/end-to-end/upstreams.test.ts' }
/** Stands in front of the name of an example whose words follow. */
const MARK = '\u0000'

describe('the examples of the API documentation', () => {
  it('are all run here and all shown there', () => {
    const files = readdirSync(path('docs/examples')).filter(file => file.endsWith('.ts'))
    expect(files.toSorted()).toEqual(Object.keys(EXAMPLES).map(name => `${name}.ts`))
    const shown = readFileSync(path('docs/api/examples.md'), 'utf8')
    for (const file of files) expect(shown).toContain(`{@includeCode ../examples/${file}}`)
  })

  const names = Object.keys(EXAMPLES).filter(name => !(name in ALONE))
  /** What each has printed, by its name. */
  const printed = new Map<string, string>()
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-examples-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  beforeAll(async () => {
    // One after the other in one process: to load the library takes longer than most of them.
    const folder = pathToFileURL(path('dist/docs/examples/')).href
    const program = `for (const name of ${JSON.stringify(names)}) {
      console.log(${JSON.stringify(MARK)} + name)
      await import(${JSON.stringify(folder)} + name + '.js')
    }`
    // From a file: what examples start inherits the options of its process.
    const file = join(directory, 'all.mjs')
    writeFileSync(file, program)
    const { stdout, stderr } = await run(process.execPath, [file])
    expect(stderr).toBe('')
    for (const part of stdout.split(MARK).slice(1)) {
      const [name, ...lines] = part.split('\n')
      printed.set(name!, lines.join('\n'))
    }
  })

  it.each(names)('%s prints what it should', name => {
    const said = printed
      .get(name)
      ?.trimEnd()
      .replace(/(?<=a session in )\d+/, '#')
    expect(said?.split('\n')).toEqual(EXAMPLES[name])
  })

  it.skipIf(!LONG).each(Object.keys(ALONE))(`%s prints what it should${LONG_ALONE}`, async name => {
    const { stdout, stderr } = await run(process.execPath, [path(`dist/docs/examples/${name}.js`)])
    expect([stdout.trimEnd().split('\n'), stderr]).toEqual([EXAMPLES[name], ''])
  })
})
