import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NetdClient } from '../../../dist/src/platform/netd/client.js'
import { NetdRequest } from '../../../dist/src/platform/netd/messages.js'
import { SYSTEM_CLOCK } from '../../../dist/src/time/system-clock.js'
import { createPair, NativeChannel } from '../../../dist/src/transfer/channels/native.js'
import { loadDeafProgram } from '../../../dist/src/transfer/native/deaf-program.js'
import { probe } from '../../../dist/src/transfer/native/libc.js'
import { openPair } from '../../../dist/src/transfer/pair.js'
import { Descriptor } from '../../../dist/src/transfer/stream.js'
import { encodeTcpState } from '../../../dist/src/transfer/tcp/state.js'
import { encode } from '../../../dist/src/wire/index.js'
import { descriptorOf, fail, fdOf, pair, quick, run, settled, socketOf } from './network.mjs'

/* A real `hotpotato netd`, and what it does for processes without rights, and refuses. */

const HOTPOTATO = fileURLToPath(new URL('../../../bin/hotpotato.js', import.meta.url))
const PORT = 8443

/** Without the right to load a program for the kernel. */
const WITHOUT_BPF = ['setpriv', '--bounding-set', '-bpf,-sys_admin']

/** Runs it for that user, if this process may choose. @param before words of a program that starts it */
async function start(user, before = []) {
  const root = mkdtempSync(join(tmpdir(), 'hotpotato-netd-'))
  chmodSync(root, 0o755)
  const directory = join(root, 'run')
  mkdirSync(directory, { mode: 0o700 })
  if (user !== undefined) await once(spawn('chown', [user, directory]), 'exit')
  const [command, ...words] = [...before, process.execPath, HOTPOTATO, 'netd', '--ports', String(PORT)]
  const netd = spawn(command, words, {
    cwd: root,
    env: { ...process.env, HOTPOTATO_RUN_DIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let heard = ''
  for (const stream of [netd.stdout, netd.stderr])
    stream.setEncoding('utf8').on('data', text => (heard += text))
  process.on('exit', () => {
    netd.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })
  for (let i = 0; !heard.includes('netd serves'); i++) {
    if (netd.exitCode !== null || i > 3000) fail(`netd does not start: ${heard}`)
    await sleep(20)
  }
  return { netd, directory, heard: () => heard }
}

/** The rights of each of its threads, as hexadecimal numbers. */
function rights({ pid }) {
  const found = new Set()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    for (const name of ['CapPrm', 'CapEff', 'NoNewPrivs'])
      found.add(`${name} ${Number.parseInt(new RegExp(`${name}:\\s*(\\S+)`).exec(status)[1], 16)}`)
  }
  return [...found].sort()
}

/** Whether it has a program that the kernel has compiled once. */
const hasProgram = ({ pid }) =>
  readdirSync(`/proc/${pid}/fd`).some(fd => readlinkSync(`/proc/${pid}/fd/${fd}`) === 'anon_inode:bpf-prog')

const said = error => `${error.outcome}: ${error.message}`
const refusal = promise => promise.then(() => 'not refused', said)

/** A pair without the client: what is done with it is not what it would do. */
async function bare(directory) {
  const socket = connect(join(directory, 'netd', 'netd.sock'))
  await once(socket, 'connect')
  const door = descriptorOf(socket)
  const { libc } = probe()
  let received = 'EAGAIN'
  for (let i = 0; received === 'EAGAIN' && i < 1000; i++) {
    await sleep(1)
    received = libc.receiveMessage(door.fd)
  }
  return Descriptor.fromFd(received.descriptors[0])
}

/** Says that over a pair of its own. @returns why the pair is gone */
async function rude(directory, payload) {
  const channel = NativeChannel.open(1)
  const lost = new Promise(resolve => {
    channel.onLost = (_, reason) => resolve(reason)
  })
  channel.addPeer(0, [await bare(directory)])
  channel.send(0, payload)
  return lost
}

/** Has connections made without end, and takes none of them. */
async function hoard(directory, state) {
  const end = await bare(directory)
  const { libc } = probe()
  const teller = NativeChannel.open(1)
  let peer = 0
  let other
  for (let remotePort = 1024; remotePort < 40_000; remotePort++) {
    const request = { kind: 'make', ticket: remotePort, state: encodeTcpState({ ...state, remotePort }) }
    if (remotePort % 1000 === 24) {
      // What a channel would send goes through a pair of ours: of the answers and credits nothing is read.
      const [mine, theirs] = createPair()
      other = theirs
      teller.addPeer(++peer, mine)
    }
    teller.send(peer, encode(NetdRequest, request))
    const frame = libc.receiveMessage(other[0].fd)
    if (typeof frame === 'string') return `no frame: ${frame}`
    let sent = libc.sendMessage(end.fd, frame.bytes.slice(), new Uint8Array(0), [])
    for (let i = 0; sent === 'EAGAIN' && i < 200; i++) {
      await sleep(5)
      sent = libc.sendMessage(end.fd, frame.bytes.slice(), new Uint8Array(0), [])
    }
    if (sent !== undefined) return sent === 'EPIPE' || sent === 'ECONNRESET' ? 'lost' : sent
  }
  return 'served'
}

/** Asks as another user, whom the files would let in. */
function knock(directory, user) {
  const script = fileURLToPath(import.meta.url)
  const words = ['--reuid', user, '--clear-groups', process.execPath, script, 'asks', directory]
  const asker = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  return once(asker.stdout.setEncoding('utf8'), 'data').then(([text]) => JSON.parse(text).result)
}

await run({
  /** A connection by way of it, so many times. */
  async serves(host, times, way) {
    const { netd, directory } = await start(undefined, way === 'classic' ? WITHOUT_BPF : [])
    const loaded = hasProgram(netd)
    const client = await NetdClient.connect(directory, SYSTEM_CLOCK)
    const connection = await pair(host, { port: PORT })
    let server = connection.accepted
    for (let i = 0; i < Number(times); i++) {
      quick(connection.client)
      await settled(fdOf(server))
      const descriptor = descriptorOf(server)
      const state = await client.take(descriptor)
      descriptor.close()
      await sleep(1)
      const made = await client.make(state)
      await client.wake(made)
      server = socketOf(made.take().fd)
      connection.client.write(`ping ${i}`)
      const asked = String((await once(server, 'data'))[0])
      quick(connection.client)
      server.write(`pong ${asked}`)
      if (String((await once(connection.client, 'data'))[0]) !== `pong ping ${i}`) fail(`round ${i}`)
      server.pause()
    }
    const found = rights(netd)
    netd.kill('SIGTERM')
    const [code] = await once(netd, 'exit')
    const asMeant = loaded === (way !== 'classic' && loadDeafProgram() !== undefined)
    return { rights: found, asMeant, code, left: readdirSync(join(directory, 'netd')) }
  },

  /** It belongs to the user whose run directory it is. */
  async user(user) {
    const { netd } = await start(user)
    return {
      rights: rights(netd),
      uids: /^Uid:\s*(.*)$/m.exec(readFileSync(`/proc/${netd.pid}/status`, 'utf8'))[1],
    }
  },

  asks: directory => refusal(NetdClient.connect(directory, SYSTEM_CLOCK)),

  /** Another user, where the files are open to all. */
  async stranger(user) {
    const { directory, heard } = await start()
    for (const path of [directory, join(directory, 'netd')]) chmodSync(path, 0o711)
    chmodSync(join(directory, 'netd', 'netd.sock'), 0o666)
    const answer = await knock(directory, user)
    return { answer, heard: heard().includes(`user ${user} is not the one that is served`) }
  },

  /** What it does not do; afterwards it serves as before. */
  async refuses(host) {
    const { directory } = await start()
    const client = await NetdClient.connect(directory, SYSTEM_CLOCK)
    const ours = await pair(host, { port: PORT })
    const other = await pair(host)
    const answers = {}
    const [one] = await openPair()
    const file = Descriptor.fromFd(openSync('/etc/hostname', 'r'))
    answers['a Unix socket'] = await refusal(client.take(one))
    answers['a file'] = await refusal(client.take(file))
    answers['another port'] = await refusal(client.take(Descriptor.fromFd(fdOf(other.accepted))))
    answers["a client's end"] = await refusal(client.take(Descriptor.fromFd(fdOf(ours.client))))
    answers['one that was never taken'] = await refusal(client.wake(Descriptor.fromFd(fdOf(ours.accepted))))
    const taken = Descriptor.fromFd(fdOf(ours.accepted))
    const state = await client.take(taken)
    answers['one that is here'] = await refusal(client.make(state))
    await client.wake(taken)
    answers['a port to make'] = await refusal(client.make({ ...state, localPort: 22 }))
    const local = state.ends.local.map((byte, i) => (i === 0 ? 203 : byte))
    answers['an address of another host'] = await refusal(
      client.make({ ...state, ends: { ...state.ends, local } }),
    )
    answers['a segment of nothing'] = await refusal(client.make({ ...state, segment: 1 }))
    // What is no request at all costs the pair, and that alone.
    answers.rude = []
    for (const payload of [new Uint8Array(0), Uint8Array.of(9, 9, 9), new Uint8Array(70_000)])
      answers.rude.push(await rude(directory, payload))
    const far = { ...state.ends, remote: state.ends.remote.map((byte, i) => (i === 3 ? byte + 1 : byte)) }
    answers.hoarder = await hoard(directory, { ...state, ends: far })
    // Nothing is asked, many times.
    const silent = []
    for (let i = 0; i < 100; i++) silent.push(await NetdClient.connect(directory, SYSTEM_CLOCK).catch(said))
    answers.crowd = silent.filter(one => typeof one === 'string').length
    for (const one of silent) if (typeof one !== 'string') one.close()
    await sleep(200)
    const again = await NetdClient.connect(directory, SYSTEM_CLOCK)
    await again.take(taken)
    await again.wake(taken)
    ours.client.write('alive')
    answers.alive = String((await once(ours.accepted.resume(), 'data'))[0])
    return answers
  },
})
