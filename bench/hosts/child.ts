import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { takeHandle } from '../../src/transfer/lift.ts'
import { sockets } from '../../src/transfer/native/sockets.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { make, take, wake } from '../../src/transfer/tcp/repair.ts'
import { median } from '../harness/stats.ts'

/*
 * One loopback connection is taken, made and woken, over and over, with a request and its answer in between;
 * it prints the median of each step in µs as JSON. To be run in a network namespace of its own.
 */

const SOL_SOCKET = 1
const SO_DETACH_FILTER = 27
const IPPROTO_TCP = 6
const TCP_QUICKACK = 12
const SIOCOUTQ = 0x5411

const times = { take: [] as number[], make: [] as number[], wake: [] as number[], filter: [] as number[] }
const calls = sockets()

function timed<T>(into: number[], act: () => T): T {
  const began = process.hrtime.bigint()
  const done = act()
  into.push(Number(process.hrtime.bigint() - began) / 1000)
  return done
}

const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd

const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
await once(server, 'listening')
const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
let [accepted] = (await once(server, 'connection')) as [Socket]
const quick = (): void => calls.setOption(fdOf(client), IPPROTO_TCP, TCP_QUICKACK, 1)

for (let move = 0; move < Number(process.argv[2]); move++) {
  // What the client acknowledges while there is no socket would be answered by a reset.
  while (calls.ask(fdOf(accepted), SIOCOUTQ) > 0) await setImmediate()
  const taken = Descriptor.fromHandle(takeHandle(accepted).handle)
  // A second filter is not a part of the move: it says what of one the kernel needs to compile it.
  timed(times.filter, () => calls.deafen(taken.fd))
  calls.setOption(taken.fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
  const state = timed(times.take, () => take(taken.fd))
  taken.close()
  await setImmediate()
  const made = timed(times.make, () => make(state))
  timed(times.wake, () => wake(made))
  accepted = new Socket({ fd: made, readable: true, writable: true })
  client.write(`ping ${move}`)
  const [asked] = (await once(accepted, 'data')) as [Buffer]
  quick()
  accepted.write(asked)
  const [answer] = (await once(client, 'data')) as [Buffer]
  accepted.pause()
  if (String(answer) !== `ping ${move}`) throw new Error(`${answer} in round ${move}`)
}
process.stdout.write(
  JSON.stringify(Object.fromEntries(Object.entries(times).map(([step, all]) => [step, median(all)]))),
)
process.exit(0)
