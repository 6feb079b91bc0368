import { spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadDeafProgram } from '../../src/transfer/native/deaf-program.ts'
import { network, scenario } from '../support/network.ts'

/* TCP connections leave a kernel and come back, in a network namespace of their own. */

const program = network.available ? loadDeafProgram() : undefined
const loadable = program !== undefined
if (program !== undefined) closeSync(program)
/** What makes them deaf here. */
const ways = loadable ? ['classic', 'program'] : ['classic']

const child = (...words: readonly string[]) => scenario('repair.mjs', words)

describe.skipIf(!network.available)(`TCP connections in the kernel (${network.note})`, () => {
  it.each([
    ['127.0.0.1', 'ipv4'],
    ['::1', 'ipv6'],
    // A listener for both: on the wire it is IPv4.
    ['::', 'ipv4'],
  ])(
    'one of %s is born again 300 times, and answers each time, in segments as large as before',
    async (host, family) => {
      const { result, resets } = await child('often', host, '300')
      expect(result).toEqual({ families: [family], segments: [true] })
      expect(resets).toBe(0)
    },
  )

  it.each(ways)('by %s, it is deaf from take to hear, and what came meanwhile comes again', async way => {
    const { result, resets } = await child('deaf', '127.0.0.1', way)
    expect(result).toEqual({
      before: false,
      taken: { deaf: true, waiting: 0 },
      again: 'it is taken already',
      steps: [true, true, true, true, false],
      heard: 'lost at first',
      said: 'spoken',
    })
    expect(resets).toBe(0)
  })

  it.skipIf(!loadable)(
    `an eBPF program does as well 300 times (${loadable ? 'loaded' : 'needs CAP_BPF'})`,
    async () => {
      const { result, resets } = await child('often', '127.0.0.1', '300', 'program')
      expect(result).toEqual({ families: ['ipv4'], segments: [true] })
      expect(resets).toBe(0)
    },
  )

  it.each(['127.0.0.1', '::1'])(
    'one of %s takes along what was not read, 1 MiB that was sent, and what was not',
    async host => {
      const { result, resets } = await child('queues', host, '0', String(2 ** 20))
      const { unread, sent, unsent, right } = result as Record<string, number>
      expect({ unread, right }).toEqual({ unread: 40_000, right: true })
      expect(sent! + unsent!).toBe(2 ** 20)
      // As much as the window let out by then: more than one segment, in any case.
      expect(sent).toBeGreaterThan(65_536)
      expect(resets).toBe(0)
    },
  )

  it('one with a small window takes along what fits, and the rest comes later', async () => {
    const { result, resets } = await child('queues', '127.0.0.1', '2304', '300000')
    expect(result).toMatchObject({ right: true })
    const { unread, unsent } = result as Record<string, number>
    expect(unread).toBeGreaterThan(0)
    expect(unread).toBeLessThan(40_000)
    expect(unsent).toBeGreaterThan(0)
    expect(resets).toBe(0)
  })

  it.each(['127.0.0.1', '::1'])('one of %s goes back where it was, in mid-stream', async host => {
    const { result, resets } = await child('back', host, '60')
    expect(result).toEqual({ right: true, carried: true })
    expect(resets).toBe(0)
  })

  it('what cannot be carried is refused in one line, and goes on', async () => {
    const { result } = await child('refusals', '127.0.0.1')
    expect(result).toEqual({
      listening: 'TcpRefusal: it is not connected',
      unix: 'TcpRefusal: it is not a TCP connection',
      file: 'TcpRefusal: it is not a TCP connection',
      'never taken': 'TcpRefusal: it was not taken, so there is nothing to go back to',
      filter: 'TcpRefusal: it has a filter',
      'in repair': 'TcpRefusal: it is taken already',
      twice: 'TcpRefusal: it is taken already',
      'here already': 'TcpRefusal: the kernel does not take it (connect: EADDRNOTAVAIL)',
      elsewhere: 'TcpRefusal: the kernel does not take it (bind: EADDRNOTAVAIL)',
      alive: 'still there',
      'ended here': 'TcpRefusal: it is not established, or one side has ended',
      'ended there': 'TcpRefusal: it is not established, or one side has ended',
    })
  })
})

/** Node has no way to it. */
const MULTIPATH = `
import os, socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(('127.0.0.1', 0))
listener.listen()
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
client.connect(listener.getsockname())
accepted, _ = listener.accept()
os.set_inheritable(accepted.fileno(), True)
os.execv(sys.argv[1], sys.argv[1:] + [str(accepted.fileno())])
`
const python = spawnSync('python3', ['-c', 'import socket; socket.socket(2, 1, 262)'], { encoding: 'utf8' })
const noPython = python.error !== undefined
const noMultipath = python.status !== 0

describe.skipIf(!network.available || noPython)(
  `what Node does not send (${noPython ? 'no python3: apt-get install python3' : 'python3'})`,
  () => {
    it('urgent data is not carried', async () => {
      expect((await child('urgent', '127.0.0.1')).result).toBe('urgent data waits on it')
    })

    it.skipIf(noMultipath)(
      `Multipath TCP is not carried (${noMultipath ? 'sysctl net.mptcp.enabled=1' : 'the kernel has it'})`,
      async () => {
        const { result } = await scenario('repair.mjs', ['given'], ['python3', '-c', MULTIPATH])
        expect(result).toBe('it is of Multipath TCP')
      },
    )
  },
)
