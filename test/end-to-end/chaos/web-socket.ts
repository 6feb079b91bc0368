import { type ClientOptions, WebSocket } from 'ws'
import { utf8 } from '../../../src/wire/index.ts'
import { below } from '../../support/random.ts'
import { type Behaviour, begin, inTime, letters, messageOf, pause } from './clients.ts'
import type { Asked } from './ledger.ts'

interface Reply {
  readonly id: string
  /** Messages that the socket has answered, this one among them. */
  readonly count: number
  readonly container: string
  readonly body: string
}

/** A WebSocket of the package ws: each message is answered, and counted wherever the socket is by then. */
export const webSocket: Behaviour = async (world, random) => {
  const { ledger, ca } = world
  const { connection, home, options } = begin(world, random, 'ws')
  const scheme = options.tls === undefined ? 'ws' : 'wss'
  const socket = new WebSocket(`${scheme}://127.0.0.1:${options.port}/${home}`, {
    ...(options.tls && { ca, servername: `${home}.local` }),
    headers: { host: `${home}.local` },
  } as ClientOptions)
  let waiting: { asked: Asked; settled: () => void } | undefined
  let answered = 0
  let trouble: string | undefined
  socket.on('error', error => {
    trouble = messageOf(error)
  })
  socket.on('message', data => {
    const { id, count, container, body } = JSON.parse(String(data)) as Reply
    answered++
    if (waiting === undefined) ledger.violation(`${connection.id}: an answer to ${id} that is not waited for`)
    else {
      if (count !== answered) ledger.violation(`${id}: counted as ${count}, not ${answered}`)
      ledger.answer(waiting.asked, { status: 200, id, body: utf8(body), container })
      waiting.settled()
    }
  })
  // `once` of `node:events` would fail with the socket's error.
  const closed = new Promise<number>(resolve => socket.once('close', resolve)).then(code => {
    trouble ??= `close ${code}`
    if (waiting === undefined) return
    ledger.lose(waiting.asked, trouble)
    waiting.settled()
  })
  const opened = new Promise<void>(resolve => socket.once('open', resolve))
  if ((await inTime(world, `${connection.id}: its beginning`, Promise.race([opened, closed]))) === 'hangs') {
    socket.terminate()
    return
  }
  if (trouble !== undefined) {
    ledger.notOpened++
    ledger.end(connection, `not opened, ${trouble}`)
    return
  }
  for (let left = 1 + below(random, 60); trouble === undefined && left > 0 && !world.over(); left--) {
    const body = letters(random, below(random, below(random, 12) === 0 ? 50_000 : 1000))
    const asked = ledger.ask(connection, 'MESSAGE', home, body)
    const sleep = below(random, 3) === 0 ? below(random, 300) : 0
    const settled = new Promise<void>(resolve => {
      waiting = { asked, settled: resolve }
    })
    socket.send(JSON.stringify({ id: asked.id, sleep, body: new TextDecoder().decode(body) }))
    if ((await inTime(world, asked.id, settled)) === 'hangs') break
    waiting = undefined
    await pause(random)
  }
  if (trouble !== undefined) ledger.end(connection, trouble)
  connection.closed = true
  socket.close()
  if ((await inTime(world, `${connection.id}: its end`, closed)) === 'hangs') socket.terminate()
}
