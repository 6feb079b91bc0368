import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { takeHandle } from '../../src/transfer/lift.ts'
import { loadDeafProgram } from '../../src/transfer/native/deaf-program.ts'
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

const STEPS = ['take', 'make', 'classicTake', 'classicMake', 'wake', 'filter', 'program'] as const
const times = Object.fromEntries(STEPS.map(step => [step, [] as number[]])) as Record<
  (typeof STEPS)[number],
  number[]
>
const calls = sockets()
/** As netd has it when it may load it. */
const program = loadDeafProgram()

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
  if (program !== undefined) {
    timed(times.program, () => calls.deafen(taken.fd, program))
    calls.setOption(taken.fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
  }
  // Both ways in turn, so that what else the machine does meets both.
  const how = move % 2 === 0 ? program : undefined
  const state = timed(how === undefined ? times.classicTake : times.take, () =>
    take(taken.fd, undefined, how),
  )
  taken.close()
  await setImmediate()
  const made = timed(how === undefined ? times.classicMake : times.make, () => make(state, undefined, how))
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
  JSON.stringify(
    Object.fromEntries(
      Object.entries(times)
        .filter(([, all]) => all.length > 0)
        .map(([step, all]) => [step, median(all)]),
    ),
  ),
)
process.exit(0)
