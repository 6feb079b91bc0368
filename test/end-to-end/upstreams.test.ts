import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LONG } from '../support/long.ts'
import { answerOf, MODELS, type Model, modelServer, PROXY } from '../support/model-server.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'
import { Certificates } from '../support/tls-programs.ts'

const DEPLOYS = LONG ? 5 : 2
const TOKENS = 1_000_000
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }

let platform: Platform
let directory: string
let models: Model[]

beforeAll(async () => {
  models = await Promise.all(MODELS.map(kind => modelServer(kind, identity)))
  const config = `
version: 1
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./proxy.mjs, environment: { CA: ${JSON.stringify(pem('ca.crt'))} } }
`
  directory = await makeDirectory(config)
  platform = await Platform.start({ directory, config, files: { 'proxy.mjs': PROXY } })
})
afterAll(async () => {
  await platform?.stop()
  for (const model of models ?? []) model.close()
  files.remove()
})

/** What curl gets of a model by way of the function. */
function curl(version: string, url: string) {
  const resolve = `echo.local:${platform.https}:127.0.0.1`
  const to = `https://echo.local:${platform.https}/?ask=${encodeURIComponent(url)}`
  const args = ['-sS', version, '-N', '--resolve', resolve, '--cacert', platform.caFile, to]
  const child = spawn('curl', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let said = ''
  child.stdout.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  child.stderr.on('data', (piece: Buffer) => {
    said += piece
  })
  const over = once(child, 'close').then(([code]) => ({ code, said, text }))
  return { child, over, got: () => text.length, text: () => text }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(5)
}

describe('what a function passes on of an upstream', () => {
  it(`outlives ${DEPLOYS} containers: neither the client nor the upstream notices`, async () => {
    const kinds = models.flatMap(model => ['--http1.1', '--http2'].map(version => ({ model, version })))
    const streams = kinds.map(({ model, version }) => curl(version, `${model.url}?tokens=${TOKENS}`))
    for (let at = 1; at <= DEPLOYS; at++) {
      const before = streams.map(one => one.got())
      await until(() => streams.every((one, n) => one.got() > before[n]! + 500))
      const { code, stdout, stderr } = await hotpotato(directory, ['deploy', 'echo'])
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain(`moved ${streams.length} connections,`)
    }
    const before = streams.map(one => one.got())
    await until(() => streams.every((one, n) => one.got() > before[n]! + 500))
    for (const { child, over } of streams) {
      child.kill()
      const { said, text } = await over
      expect(said).toBe('')
      expect(answerOf(TOKENS / 20).startsWith(text)).toBe(true)
    }
    for (const { seen } of models) expect(seen).toMatchObject({ connections: 2, requests: 2 })
    // Their clients have gone, and the upstreams are told.
    await until(() => models.every(({ sockets }) => sockets.size === 0))
  })
})
