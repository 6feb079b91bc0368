import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import { FORMAT_VERSION } from '../../src/transfer/envelope.ts'
import { fromHex } from '../../src/wire/index.ts'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
function vectorOf(version: number): string {
  const file = new URL(`../../vectors/transfer/envelope-v${version}.json`, import.meta.url)
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: { name: string; bytes: string }[] }
  return vectors.find(({ name }) => name === 'an idle HTTPS connection')!.bytes
}
const envelope = vectorOf(FORMAT_VERSION)

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-inspect-'))
afterAll(() => rmSync(directory, { recursive: true }))

function run(args: readonly string[], input: string | Uint8Array = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { input, encoding: 'utf8' })
  return { status, stdout, stderr }
}

it.each([2, 3, 4, 5])(
  'dumps an envelope of version %i with every field, and masks what is secret',
  version => {
    const file = join(directory, 'envelope.bin')
    writeFileSync(file, fromHex(vectorOf(version)))
    const { status, stdout } = run(['inspect', file])
    expect(status).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^ {4}0 {5}2 {2}000${version} +uint16 format_version = ${version}$`, 'm'),
    )
    const suite = CipherSuiteId.TLS_AES_128_GCM_SHA256.toString(16)
    const named = ` ${suite} +uint16 cipher_suite = TLS_AES_128_GCM_SHA256 \\(0x${suite}\\)$`
    expect(stdout).toMatch(new RegExp(named, 'm'))
    expect(stdout).toContain('opaque traffic_secret<32..48> = (secret)')
    expect(stdout).not.toContain('a1a1')
  },
)

it('shows secrets when asked, from standard input and from hexadecimal', () => {
  const { status, stdout } = run(['inspect', '-', '--secrets'], envelope)
  expect(status).toBe(0)
  expect(stdout).toContain(`opaque traffic_secret<32..48> = ${'a1'.repeat(32)}`)
})

it('shows bytes beside numbers and names, and never those of a secret', () => {
  const { stdout } = run(['inspect', '-'], envelope)
  expect(stdout).toMatch(/^ +\d+ +1 {2}[0-9a-f]{2} {14} +ServerHandshakeState state = CONNECTED$/m)
  expect(stdout).not.toMatch(/a1a1|e1e1|e2e2/)
})

it('dumps every vector of a file of golden vectors', () => {
  const file = fileURLToPath(
    new URL(`../../vectors/transfer/envelope-v${FORMAT_VERSION}.json`, import.meta.url),
  )
  const { status, stdout } = run(['inspect', file])
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: { name: string }[] }
  expect(status).toBe(0)
  expect(vectors.length).toBeGreaterThan(2)
  for (const { name } of vectors) expect(stdout).toContain(`${name}\n`)
  expect(stdout.match(/^\d+ bytes, read as envelope$/gm)).toHaveLength(vectors.length)
})

it('dumps TCP connections, and masks what their peers have said', () => {
  const file = fileURLToPath(new URL('../../vectors/transfer/tcp-v1.json', import.meta.url))
  const { status, stdout } = run(['inspect', file, '--as', 'tcp'])
  expect(status).toBe(0)
  expect(stdout).toMatch(/^ +\d+ +2 {2}20fb +uint16 local_port = 8443/m)
  expect(stdout).toContain('opaque unread<0..2^22-1> = (secret)')
  expect(stdout).not.toContain(Buffer.from('not read').toString('hex'))
  expect(run(['inspect', file, '--as', 'tcp', '--secrets']).stdout).toContain(
    Buffer.from('not read').toString('hex'),
  )
})

it('dumps as much as there is, and fails', () => {
  const { status, stdout } = run(['inspect', '-'], envelope.slice(0, 100))
  expect(status).toBe(1)
  expect(stdout).toMatch(/stopped at byte \d+: needs \d+ bytes where \d+ are left/)
})

it('verifies', () => {
  expect(run(['verify', '-'], envelope)).toMatchObject({ status: 0, stdout: 'no fault found\n' })
  expect(run(['verify', '-'], envelope.slice(0, 100))).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^envelope: malformed: at byte \d+/),
  })
  expect(run(['verify', '-', '--as', 'picotls'], '0000').stdout).toMatch(/^picotls: not a session of picotls/)
})

it('says in one line what is wrong with the command', () => {
  expect(run(['inspect'])).toMatchObject({ status: 2, stderr: 'inspect needs a FILE\n' })
  expect(run(['inspect', join(directory, 'none')]).stderr).toMatch(/none cannot be read \(ENOENT\)\n$/)
  expect(run(['inspect', '-', '--as', 'poem'], envelope).stderr).toBe(
    '--as must be one of envelope, session, sealed, control, picotls, bundle, tcp, not poem\n',
  )
  expect(run(['verify', '-', '--as', 'control'], envelope).stderr).toMatch(
    /^--as must be one of envelope, session, picotls, not control/,
  )
})
