import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { environmentOf, eventually } from '../support/platform.ts'
import { run } from '../support/programs.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OPTIONAL = ['@peculiar/x509', 'pino-pretty', 'reflect-metadata', 'sharp']

/** What is built, with every package but those that are optional. */
let root: string
const at = (...parts: string[]): string => join(root, ...parts)

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'hotpotato-optional-'))
  cpSync(join(ROOT, 'dist/src'), at('dist/src'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), at('package.json'))
  writeFileSync(at('hotpotato.yml'), 'gateway: { http: 0, https: 0 }\nfunctions: { hello: {} }\n')
  const packages = readdirSync(join(ROOT, 'node_modules')).flatMap(name =>
    name.startsWith('@')
      ? readdirSync(join(ROOT, 'node_modules', name)).map(one => `${name}/${one}`)
      : [name].filter(one => !one.startsWith('.')),
  )
  for (const name of packages.filter(one => !OPTIONAL.includes(one))) {
    mkdirSync(at('node_modules', name, '..'), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), at('node_modules', name))
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const { HOTPOTATO_RUN_DIR: _, HOTPOTATO_CERTS_DIR: __, ...env } = environmentOf('/nowhere')
const MAIN = 'dist/src/cli/main.js'
const hotpotato = (...args: string[]) => run(process.execPath, [at(MAIN), ...args], '', { cwd: root, env })
const missing = (name: string): string =>
  `needs the package ${name}, which is not installed: npm install --include=optional installs it`

function started(...args: string[]): { child: ChildProcess; said: () => string } {
  let said = ''
  const child = spawn(process.execPath, [at(MAIN), ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  return { child, said: () => said }
}

it('certificates cannot be made, and one line says so', async () => {
  for (const words of [['certs', 'hello'], ['up']]) {
    const { code, stderr } = await hotpotato(...words)
    expect([code, stderr]).toEqual([1, `making certificates ${missing('reflect-metadata')}\n`])
  }
})

it('a platform with certificates starts, and its log is shown as it stands', async () => {
  const certificates = [{ name: 'hello' }]
  await makeCertificates({ directory: at('certs'), certificates, now: Date.now() })
  const { child, said } = started('up')
  await eventually(() => (said().includes('Ctrl-C') ? true : undefined), 'it does not start')
  const logs = started('logs', '-f', '--pretty')
  await eventually(() => (/^\{"level":30,.*\}$/m.test(logs.said()) ? true : undefined), 'nothing is shown')
  expect(logs.said()).toContain(`hotpotato: showing the log in lines for people ${missing('pino-pretty')}\n`)
  for (const one of [logs.child, child]) {
    const ended = once(one, 'exit')
    one.kill('SIGTERM')
    await ended
  }
})

it('resize answers an image with 501, and says why', async () => {
  const asks = `
    const { default: resize } = await import('./dist/src/functions/shipped/resize.js')
    const ask = init => resize.fetch(new Request('http://a/?width=1', init))
    const [help, image] = [await ask(), await ask({ method: 'POST', body: 'x' })]
    console.log(JSON.stringify([help.status, image.status, await image.json()]))`
  const words = ['--input-type=module', '-e', asks]
  const { stdout } = await run(process.execPath, words, '', { cwd: root, env })
  expect(JSON.parse(stdout.toString())).toEqual([
    ...[200, 501],
    expect.objectContaining({ detail: `resizing ${missing('sharp')}` }),
  ])
})
