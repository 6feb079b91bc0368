import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { H1Client } from '../../../src/http/h1/index.ts'
import { header } from '../../../src/http/message.ts'
import { concat } from '../../../src/wire/index.ts'
import { below } from '../../support/random.ts'
import { type Behaviour, BOUND, begin, inTime, pause, question } from './clients.ts'
import type { Asked } from './ledger.ts'

/** What OpenSSL and curl say when a byte is wrong, and not merely missing. */
const WRONG = new RegExp(
  'bad record mac|decryption failed|decode error|wrong version|unexpected message|' +
    'PROTOCOL_ERROR|FLOW_CONTROL',
  'i',
)

/** `openssl s_client`, over which our parser speaks HTTP/1.1. */
export const openssl: Behaviour = async (world, random) => {
  const { ledger, platform } = world
  const { connection, home } = begin(world, random, 's_client', ['relay', 'kept', 'fd'])
  const child = spawn('openssl', [
    ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', `${home}.local`],
    ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet', '-no_ign_eof'],
  ])
  const http = new H1Client()
  const closed = once(child, 'close')
  let gone = false
  let complaint = ''
  let waiting: { asked: Asked; settled: () => void } | undefined
  let head: { status: number; id: string | undefined; container: string | undefined } | undefined
  const chunks: Uint8Array[] = []
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  child.stdout.on('data', (bytes: Buffer) => {
    for (const event of http.receive(new Uint8Array(bytes))) {
      if (event.type === 'response')
        head = {
          status: event.status,
          id: header(event.headers, 'x-id'),
          container: header(event.headers, 'x-hotpotato-container'),
        }
      else if (event.type === 'body') chunks.push(event.data)
      else if (event.type === 'error') ledger.violation(`${connection.id}: ${event.reason}`)
      else if (event.type === 'end' && waiting !== undefined) {
        ledger.answer(waiting.asked, { ...head!, body: concat(...chunks.splice(0)) })
        waiting.settled()
      }
    }
  })
  void closed.then(() => {
    gone = true
    const alert = /alert ([a-z ]+)/.exec(complaint)?.[1]
    if (WRONG.test(complaint)) ledger.violation(`${connection.id}: ${complaint}`)
    if (waiting === undefined) return
    ledger.lose(waiting.asked, alert === undefined ? 'the server closed' : `alert ${alert} from peer`)
    waiting.settled()
  })
  for (let left = 1 + below(random, 40); !gone && left > 0 && !world.over(); left--) {
    const { asked, target, method, body } = question(world, random, connection, home, { most: 20_000 })
    const bytes = http.request({ method, target, headers: [['host', `${home}.local`]] }, body)
    const settled = new Promise<void>(resolve => {
      waiting = { asked, settled: resolve }
    })
    child.stdin.write(bytes)
    if ((await inTime(world, asked.id, settled)) === 'hangs') break
    waiting = undefined
    await pause(random)
    if (gone) ledger.end(connection, 'while it was idle')
  }
  connection.closed = true
  child.stdin.end()
  if ((await inTime(world, `${connection.id}: its end`, closed)) === 'hangs') child.kill('SIGKILL')
}

/** `curl`, with some requests on one connection if it can. */
export const curl: Behaviour = async (world, random) => {
  const { ledger, platform } = world
  const { connection, home, options } = begin(world, random, 'curl')
  const scheme = options.tls === undefined ? 'http' : 'https'
  const version = options.tls === undefined || below(random, 2) === 0 ? '--http1.1' : '--http2'
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-curl-'))
  const common = [
    ...['--silent', '--verbose', version, '--cacert', platform.caFile, '--max-time', String(BOUND / 1000)],
    ...['--resolve', `${home}.local:${options.port}:127.0.0.1`],
  ]
  // What cannot be repeated is asked alone: curl itself asks again when a connection that it used before
  // ends.
  const alone = below(random, 3) === 0
  const methods = alone ? ['POST'] : ['GET', 'GET', 'PUT']
  const asked = Array.from({ length: alone ? 1 : 1 + below(random, 8) }, () =>
    question(world, random, connection, home, { methods, most: 50_000 }),
  )
  const args = asked.flatMap(({ target, method, body }, index) => {
    const file = join(directory, String(index))
    if (body !== undefined) writeFileSync(`${file}.in`, body)
    const data = body === undefined ? [] : ['--data-binary', `@${file}.in`]
    const url = `${scheme}://${home}.local:${options.port}${target}`
    const words = ['-X', method, ...data, '-D', `${file}.head`, '-o', `${file}.out`, url]
    return [...(index === 0 ? [] : ['--next']), ...common, ...words, '-w', '%{exitcode} %{http_code}\\n']
  })
  const child = spawn('curl', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  if ((await inTime(world, connection.id, once(child, 'close'))) === 'hangs') child.kill('SIGKILL')
  if (WRONG.test(complaint)) ledger.violation(`${connection.id}: ${complaint}`)
  connection.closed = true
  const repeated = complaint.match(/retrying a fresh connect|Connection died/g)?.length ?? 0
  const lines = said.trim().split('\n')
  asked.forEach(({ asked }, index) => {
    asked.sent += repeated
    const [code, status] = (lines[index] ?? '').split(' ').map(Number)
    if (code !== 0) {
      if (code === 28) ledger.violation(`${asked.id}: curl waits too long`)
      ledger.lose(asked, `curl ${code}`)
      return
    }
    const head = readFileSync(join(directory, `${index}.head`), 'latin1')
    const of = (name: string) => new RegExp(`^${name}: (\\S+)`, 'im').exec(head)?.[1]
    let body = new Uint8Array(0)
    try {
      body = new Uint8Array(readFileSync(join(directory, `${index}.out`)))
    } catch {
      // Nothing has come: no file is made.
    }
    ledger.answer(asked, { status: status!, id: of('x-id'), container: of('x-hotpotato-container'), body })
  })
  rmSync(directory, { recursive: true, force: true })
}
