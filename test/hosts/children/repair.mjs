import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { takeHandle } from '../../../dist/src/transfer/lift.js'
import { loadDeafProgram } from '../../../dist/src/transfer/native/deaf-program.js'
import { openPair } from '../../../dist/src/transfer/pair.js'
import { hear, isDeaf } from '../../../dist/src/transfer/tcp/hearing.js'
import { hush, make, speak, take, wake } from '../../../dist/src/transfer/tcp/repair.js'
import { decodeTcpState, encodeTcpState } from '../../../dist/src/transfer/tcp/state.js'
import {
  calls,
  descriptorOf,
  digest,
  fail,
  fdOf,
  hears,
  pair,
  quick,
  read,
  repairs,
  run,
  settled,
  socketOf,
} from './network.mjs'

/* Connections leave the kernel and come back, in a network namespace of their own. */

const TCP_MAXSEG = 2
const SIOCINQ = 0x541b
const URGENT = `import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.send(b'x', socket.MSG_OOB)
sys.stdin.read()`

/** What makes it deaf. @param way `program` or `classic` */
const deafnessOf = way => (way === 'program' ? loadDeafProgram() : undefined)

/** Another kernel, but for its name. @returns the state that went, and the socket */
async function reborn(descriptor, program) {
  const state = take(descriptor.fd, undefined, program)
  descriptor.close()
  await setImmediate()
  return { state, fd: make(decodeTcpState(encodeTcpState(state)), undefined, program) }
}

await run({
  /** One connection, so many times; in between a request and its answer. */
  async often(host, times, way) {
    const program = deafnessOf(way)
    const { client, accepted } = await pair(host)
    let server = accepted
    const segment = calls.option(fdOf(client), 6, TCP_MAXSEG)
    const segments = new Set()
    const families = new Set()
    for (let i = 0; i < Number(times); i++) {
      quick(client)
      await settled(fdOf(server))
      const { state, fd } = await reborn(descriptorOf(server), program)
      families.add(state.ends.family)
      wake(fd)
      segments.add(calls.option(fd, 6, TCP_MAXSEG))
      server = socketOf(fd)
      client.write(`ping ${i}`)
      const asked = String((await once(server, 'data'))[0])
      quick(client)
      server.write(`pong ${asked}`)
      const answer = String((await once(client, 'data'))[0])
      server.pause()
      if (answer !== `pong ping ${i}`) fail(`${answer} in round ${i}`)
    }
    // A listener of the same port starts beside it.
    const listener = createServer().listen(client.remotePort, host)
    await once(listener, 'listening')
    return { families: [...families], segments: [...segments].map(one => Math.abs(one - segment) < 100) }
  },

  /** With bytes in each of its queues. @param buffer bytes of the client's window, about */
  async queues(host, buffer, bytes) {
    const { client, accepted } = await pair(host, buffer === '0' ? {} : { buffer: Number(buffer) })
    // The windows open.
    const warm = randomBytes(buffer === '0' ? 8_000_000 : 20_000)
    accepted.write(warm)
    if (digest(await read(client, warm.length)) !== digest(warm)) fail('warming up')
    await settled(fdOf(accepted))
    const up = randomBytes(40_000)
    const down = randomBytes(Number(bytes))
    client.write(up)
    await settled(fdOf(client))
    calls.deafen(fdOf(client))
    const fd = fdOf(accepted)
    let at = 0
    for (let i = 0; at < down.length && i < 100; i++) {
      try {
        at += calls.send(fd, down.subarray(at))
      } catch {
        await sleep(2)
      }
    }
    const { state, fd: next } = await reborn(descriptorOf(accepted))
    hears(fdOf(client))
    wake(next)
    const server = socketOf(next)
    server.write(state.unsent)
    server.write(down.subarray(at))
    const [above, below] = await Promise.all([read(server, up.length), read(client, down.length)])
    return {
      unread: state.unread.length,
      sent: state.sent.length,
      unsent: state.unsent.length,
      right: digest(above) === digest(up) && digest(below) === digest(down),
    }
  },

  /** It goes back where it was, while both sides send. */
  async back(host, times) {
    const { client, accepted } = await pair(host)
    const up = randomBytes(2_000_000)
    const piece = randomBytes(70_000)
    const down = Buffer.concat(Array.from({ length: Number(times) }, () => piece))
    const below = read(client, down.length)
    const above = []
    client.write(up)
    let server = accepted
    let carried = 0
    for (let i = 0; i < Number(times); i++) {
      server.on('data', bytes => above.push(bytes))
      await new Promise(resolve => server.write(piece, resolve))
      const { handle, unread } = takeHandle(server)
      above.push(unread)
      const state = take(handle.fd)
      carried += state.unread.length + state.sent.length + state.unsent.length
      if (i % 5 === 0) await sleep(20)
      wake(handle.fd)
      server = new Socket({ handle, allowHalfOpen: true })
    }
    const have = above.reduce((sum, { length }) => sum + length, 0)
    above.push(await read(server, up.length - have))
    const right = digest(await below) === digest(down) && digest(Buffer.concat(above)) === digest(up)
    return { right, carried: carried > 0 }
  },

  /** What comes for it before it hears is as if it had never come; it goes through each verb. */
  async deaf(host, way) {
    const program = deafnessOf(way)
    const { client, accepted } = await pair(host)
    const before = isDeaf(fdOf(accepted))
    const descriptor = descriptorOf(accepted)
    const state = take(descriptor.fd, undefined, program)
    client.write('lost at first')
    await sleep(50)
    const taken = { deaf: isDeaf(descriptor.fd), waiting: calls.ask(descriptor.fd, SIOCINQ) }
    let again
    try {
      take(descriptor.fd, undefined, program)
    } catch (error) {
      again = error.message
    }
    descriptor.close()
    await setImmediate()
    const fd = make(state, undefined, program)
    const steps = [isDeaf(fd)]
    for (const step of [speak, hush, speak, hear]) {
      step(fd)
      steps.push(isDeaf(fd))
    }
    const server = socketOf(fd)
    server.write('spoken')
    const heard = String(await read(server, 13))
    return { before, taken, again, steps, heard, said: String(await read(client, 6)) }
  },

  /** What is not carried, and that it goes on. */
  async refusals(host) {
    const said = {}
    const tries = (name, fd, act = take) => {
      try {
        act(fd)
        said[name] = 'not refused'
      } catch (error) {
        said[name] = `${error.name}: ${error.message}`
      }
    }
    const listener = createServer().listen(0, host)
    await once(listener, 'listening')
    tries('listening', listener._handle.fd)
    const [one] = await openPair()
    tries('unix', one.fd)
    const file = openSync('/dev/null', 'r')
    tries('file', file)
    closeSync(file)
    const { client, accepted } = await pair(host)
    const fd = fdOf(accepted)
    tries('never taken', fd, wake)
    calls.deafen(fd)
    tries('filter', fd)
    hears(fd)
    // As another program leaves one that it repairs, without a filter.
    repairs(fd, true)
    tries('in repair', fd)
    repairs(fd, false)
    const state = take(fd)
    tries('twice', fd)
    tries('here already', 0, () => make(state))
    wake(fd)
    tries('elsewhere', 0, () =>
      make({ ...state, ends: { ...state.ends, local: state.ends.local.map(byte => byte ^ 0x41) } }),
    )
    client.write('still there')
    said.alive = String(await read(accepted, 11))
    accepted.end('over')
    await read(client, 4)
    await sleep(50)
    tries('ended here', fd)
    const other = await pair(host)
    other.client.end()
    await sleep(50)
    tries('ended there', fdOf(other.accepted))
    return said
  },

  /** A connection that the parent has made, under that number. */
  given: async fd => {
    try {
      take(Number(fd))
      return 'not refused'
    } catch (error) {
      return error.message
    }
  },

  /** Urgent data, as a program sends it that can. */
  async urgent(host) {
    const server = createServer({ pauseOnConnect: true }).listen(0, host)
    await once(server, 'listening')
    const python = spawn('python3', ['-c', URGENT, String(server.address().port)], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    const [accepted] = await once(server, 'connection')
    for (let i = 0; i < 200 && !calls.isUrgent(fdOf(accepted)); i++) await sleep(10)
    try {
      take(fdOf(accepted))
      return 'not refused'
    } catch (error) {
      return error.message
    } finally {
      python.kill()
    }
  },
})
