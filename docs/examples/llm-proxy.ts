/**
 * What a language model says, passed on by a function that is deployed anew five times during one answer. The
 * client gets every token once; the model sees one connection and one request. The model is a local server
 * that says tokens as server-sent events.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client } from '../../src/client/index.ts'
import { Platform } from './lib/platform.ts'
import { say } from './lib/say.ts'

const DEPLOYS = 5

/** The function: reads the model's answer, and says in `freeze` which response it reads. */
const PROXY = `
const pass = ({ upstream }, ctx) => {
  const reader = upstream.body.getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    freeze: () => ({ upstream }),
  })
}

export default {
  async fetch(request, env, ctx) {
    const upstream = await ctx.fetch(env.MODEL, { method: 'POST', body: await request.text() })
    return new Response(pass({ upstream }, ctx), { headers: upstream.headers })
  },
}
export const resume = pass
`

let connections = 0
let requests = 0
let deployed = false

/** Says tokens until the function was deployed often enough. */
async function speak(response: ServerResponse): Promise<void> {
  requests++
  response.setHeader('content-type', 'text/event-stream')
  for (let token = 1; !deployed; token++) {
    response.write(`data: token ${token}\n\n`)
    await setTimeout(10)
  }
  response.end('data: [DONE]\n\n')
}

const model = createServer((_, response) => void speak(response))
model.on('connection', () => connections++)
await new Promise<void>(resolve => model.listen(0, '127.0.0.1', resolve))
const { port } = model.address() as AddressInfo

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-llm-proxy-'))
writeFileSync(join(directory, 'proxy.mjs'), PROXY)
const config = `
version: 1
functions:
  proxy:
    handler: ./proxy.mjs
    hosts: [localhost]
    environment: { MODEL: "http://127.0.0.1:${port}/" }
`
const platform = await Platform.up(directory, config)
const client = new Client({ tls: { ca: readFileSync(platform.authority, 'utf8') } })
try {
  const response = await client.fetch(`https://localhost:${platform.port}/`, {
    method: 'POST',
    body: 'hello',
  })
  const answer = response.text()
  for (let at = 0; at < DEPLOYS; at++) say('deployed:', await platform.command('deploy', 'proxy'))
  deployed = true
  const tokens = (await answer).trimEnd().split('\n\n')
  const wanted = tokens.map((_, at) => `data: ${at + 1 === tokens.length ? '[DONE]' : `token ${at + 1}`}`)
  say('every token once, and the end:', tokens.length > DEPLOYS && tokens.join() === wanted.join())
  say('the model saw', connections, 'connection and', requests, 'request')
} finally {
  await client.close()
  await platform.stop()
  rmSync(directory, { recursive: true })
  model.close()
}
