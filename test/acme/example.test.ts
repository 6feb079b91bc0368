import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { freePorts, PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'
import { eventually } from '../support/platform.ts'

const PROGRAM = fileURLToPath(new URL('../../examples/acme/server.mjs', import.meta.url))

let pebble: Pebble | undefined
let child: ChildProcess | undefined

afterEach(async () => {
  child?.kill('SIGKILL')
  await pebble?.stop()
})

it.skipIf(!PEBBLE)(`the server of examples/acme gets a certificate of ${PEBBLE_NOTE}`, async () => {
  const [http, https] = await freePorts(2)
  pebble = await Pebble.start({ http: http! })
  child = spawn(process.execPath, [PROGRAM, 'a.test'], {
    env: {
      ...process.env,
      ACME_DIRECTORY: pebble.url,
      ACME_CA: pebble.caFile,
      HTTP_PORT: `${http}`,
      HTTPS_PORT: `${https}`,
    },
  })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  await eventually(() => said.includes('Ctrl-C') || undefined, 'it does not serve')
  expect(said).toBe(`https://a.test:${https}/ serves, with http on ${http}; Ctrl-C ends it\n`)
  const moved = await fetch(`http://127.0.0.1:${http}/x`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([301, 'https://a.test/x'])
  const socket = connect({ port: https!, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { issuer, subjectaltname } = socket.getPeerCertificate()
  expect([String(issuer.CN), subjectaltname]).toEqual([expect.stringContaining('Pebble'), 'DNS:a.test'])
  socket.destroy()
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect((await ended)[0]).toBe(0)
})
