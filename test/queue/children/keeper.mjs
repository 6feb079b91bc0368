// Keeps and makes asynchronous calls, and kills itself at a step: node keeper.mjs DIRECTORY RUN STEP
// Writes the id of each call that it has said is kept, `cancelled ID`, and at its end `done`.
import { appendFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { revived } from '../../../dist/src/queue/life.js'
import { Queue } from '../../../dist/src/queue/queue.js'
import { nameOf, Store } from '../../../dist/src/queue/store.js'
import { SYSTEM_CLOCK } from '../../../dist/src/time/system-clock.js'

const [directory, run, last] = process.argv.slice(2)
let steps = 0
const store = new Store(directory, () => {
  if (++steps === Number(last)) process.kill(process.pid, 'SIGKILL')
})
await store.open()

const answer = status => ({
  kind: 'answered',
  answer: { status, headers: [], body: new Uint8Array(0), milliseconds: 1 },
})
// Each call fails once; those called `dead` can come to nothing.
const call = async ({ id, failures }) => {
  appendFileSync(join(directory, 'made'), `${id}\n`)
  if (id.endsWith('dead')) return { kind: 'impossible', reason: 'on purpose' }
  return answer(failures === 0 ? 503 : 200)
}
// Callbacks fail once as well.
const tell = async ({ id, failures, answer: { status } }) => {
  appendFileSync(join(directory, 'told'), `${id} ${status}\n`)
  return answer(failures === 0 ? 500 : 204)
}
const patience = { retries: 1000, first: 1, most: 3_600_000, timeout: 1000, concurrency: 2 }
const bounds = { calls: 1000, bytes: 1e9, concurrency: 4, deadLetters: 1000 }
const limits = { callbacks: [], callBytes: 1000, answerBytes: 1000, ...bounds }
const queue = new Queue({
  store,
  caller: { call, tell },
  settings: { ...limits, directory, functions: { f: patience } },
  clock: SYSTEM_CLOCK,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  random: () => 0,
})
await queue.deliver()
const accept = (id, { callback = '', dueAt = Date.now() } = {}) =>
  queue.accept({
    ...{ id, functionName: 'f', method: 'POST', target: '/', headers: [], body: new Uint8Array(100) },
    ...{ callback, acceptedAt: Date.now(), phase: 'calling', failures: 0, dueAt, reason: '', lost: 0 },
    ...{ answer: undefined, client: undefined },
  })
for (const name of ['1', '2', 'dead', 'told', 'told-dead']) {
  const id = `${run}-${name}`
  const callback = name.startsWith('told') ? 'http://hook/' : ''
  if ((await accept(id, { callback })) === 'kept') writeSync(1, `${id}\n`)
}
// Of an earlier run as well, if it was killed before it said so.
await accept(`${run}-far`, { dueAt: Date.now() + 3_600_000 })
for (const name of store.names('calls')) {
  const id = Buffer.from(name, 'base64url').toString()
  if (id.endsWith('-far') && (await queue.cancel(id))) writeSync(1, `cancelled ${id}\n`)
}
for await (const letter of store.all('dead', () => {}))
  if (await store.revive(nameOf(letter.id), revived(letter, Date.now()))) await queue.look(nameOf(letter.id))
while (queue.size > 0) await new Promise(resolve => setTimeout(resolve, 2))
writeSync(1, 'done\n')
