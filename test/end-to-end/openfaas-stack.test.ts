import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing } from '../support/programs.ts'

/**
 * A directory as `faas-cli new --lang node22`, then `--append` with `--lang python3`, leaves one: the keys of
 * its stack.yml, a folder for each function, and the handlers' shape are what OpenFaaS documents.
 */
const STACK = `
version: 1.0
provider:
  name: openfaas
  gateway: http://127.0.0.1:8080
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  shout:
    lang: node22
    handler: ./shout
    image: ttl.sh/people/shout:latest
    environment:
      write_debug: true
      exec_timeout: 10s
    labels:
      com.openfaas.scale.min: 1
      com.openfaas.scale.max: 4
    annotations:
      topic: noise
    limits: { memory: 128Mi, cpu: 100m }
    requests: { memory: 64Mi, cpu: 50m }
    build_args: { TEST_ENABLED: false }
  turn:
    lang: python3
    handler: ./turn
    image: ttl.sh/people/turn:latest
    skip_build: true
    constraints: ["node.platform.os == linux"]
configuration:
  templates:
    - name: node22
`
const SHOUT = `'use strict'

module.exports = async (event, context) => {
  if (event.method === 'DELETE') return context.status(405).fail('nothing is deleted here')
  const said = { path: event.path, query: event.query, loud: String(event.body).toUpperCase() }
  return context.status(200).headers({ 'x-shouted': 'yes' }).succeed(said)
}
`
const MANIFEST = '{ "name": "shout", "version": "1.0.0", "main": "handler.js", "license": "MIT" }'
const TURN = `def handle(req):
    return req[::-1]
`
const PYTHON = isInstalled('python3', ['--version'])

let platform: Platform
let client: Client

beforeAll(async () => {
  const certificates = ['shout', 'turn'].map(name => ({ name, hosts: [`${name}.local`] }))
  const directory = await makeDirectory(STACK, certificates)
  for (const name of ['shout', 'turn']) mkdirSync(join(directory, name))
  writeFileSync(join(directory, 'shout', 'handler.js'), SHOUT)
  writeFileSync(join(directory, 'shout', 'package.json'), MANIFEST)
  writeFileSync(join(directory, 'turn', 'handler.py'), TURN)
  writeFileSync(join(directory, 'turn', 'requirements.txt'), '')
  platform = await Platform.start({ directory })
  client = await Client.open({ port: platform.http })
})
afterAll(async () => {
  await client?.close()
  await platform?.stop()
})

it('a stack.yml and a Node template of OpenFaaS are deployed as they are', async () => {
  await platform.until('shout-1', ({ ready }) => ready)
  const answer = await client.request('/function/shout/a/b?n=1', {
    method: 'POST',
    body: Buffer.from('hello'),
  })
  expect([answer.status, answer.headers.find(([name]) => name === 'x-shouted')?.[1]]).toEqual([200, 'yes'])
  expect(JSON.parse(textOf(answer))).toEqual({ path: '/a/b', query: { n: '1' }, loud: 'HELLO' })
  const refused = await client.request('/function/shout', { method: 'DELETE' })
  expect([refused.status, textOf(refused)]).toEqual([405, 'nothing is deleted here'])
})

it.skipIf(!PYTHON)(
  `and a Python function of the classic watchdog${missing(PYTHON, 'python3', 'python3')}`,
  async () => {
    await platform.until('turn-1', ({ ready }) => ready)
    const answer = await client.request('/function/turn', { method: 'POST', body: Buffer.from('potato') })
    expect([answer.status, textOf(answer).trim()]).toEqual([200, 'otatop'])
  },
)
