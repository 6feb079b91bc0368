import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../certs/authority.ts'
import { CARRIER, CONFIG, Platform } from './platform.ts'
import { isInstalled, run } from './programs.ts'

const CURL = isInstalled('curl', ['--version'])
const people = mkdtempSync(join(tmpdir(), 'hotpotato-people-'))
let platform: Platform

beforeAll(async () => {
  await makeCertificates({
    directory: people,
    certificates: [{ name: 'alice' }],
    purpose: 'client',
    now: Date.now(),
  })
  const config = CONFIG.replace('hello: {}', `hello: { clientAuthorities: ${join(people, 'ca.crt')} }`)
  platform = await Platform.start({ config: `carrier: ${CARRIER}\n${config}` })
})

afterAll(async () => {
  await platform?.stop()
  rmSync(people, { recursive: true })
})

/** Asks for each of the pages in turn, on one connection if it can. */
async function fetch(host: string, paths: readonly string[], ...words: readonly string[]) {
  const names = ['echo', 'hello'].flatMap(name => ['--resolve', `${name}.local:${platform.https}:127.0.0.1`])
  const pages = paths.flatMap(path => [`https://${host}:${platform.https}${path}`, '-o', '/dev/null'])
  const format = '%{http_code} %{num_connects} %header{x-hotpotato-container}\\n'
  const { stdout, code } = await run('curl', [
    '-s',
    ...words,
    '--cacert',
    platform.caFile,
    ...names,
    '-w',
    format,
    ...pages,
  ])
  return { code, lines: String(stdout).trimEnd().split('\n') }
}

describe.skipIf(!CURL).each(['--http1.1', '--http2'])(
  `a function that wants to see certificates, curl %s${CURL ? '' : ' (SKIPPED: no curl; Debian: apt-get install curl)'}`,
  version => {
    const alice = ['--cert', join(people, 'alice.crt'), '--key', join(people, 'alice.key')]

    it('is not for a connection that was opened without one; the connection goes on', async () => {
      const { code, lines } = await fetch('echo.local', ['/echo', '/hello', '/echo'], version)
      expect([code, lines]).toEqual([0, ['200 1 echo-1', '421 0 echo-1', '200 0 echo-1']])
    })

    it('lets nobody shake hands without one', async () => {
      expect(await fetch('hello.local', ['/hello'], version)).toMatchObject({ lines: ['000 1'] })
    })

    it('serves who has one, and takes the connection back when it has been elsewhere', async () => {
      const { code, lines } = await fetch('hello.local', ['/hello', '/echo', '/hello'], version, ...alice)
      expect([code, lines]).toEqual([0, ['200 1 hello-1', '200 0 echo-1', '200 0 hello-1']])
    })
  },
)

it('a file that holds no certificate is named at the start', async () => {
  const file = join(people, 'nobody.crt')
  writeFileSync(file, readFileSync(join(people, 'alice.key')))
  const start = Platform.start({
    config: CONFIG.replace('hello: {}', `hello: { clientAuthorities: ${file} }`),
  })
  await expect(start).rejects.toThrow(`${file}: a text that holds no PEM certificate`)
})
