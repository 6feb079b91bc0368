// What a level of isolation is worth, in the words of the table in docs/isolation.md: tries each of its rows,
// and says whether that can be done.
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

const { closeSync, openSync, readdirSync, readFileSync, rmSync } = fs

/** More than a file system of a sandbox has, and more files than one of a container. */
const BYTES = 80 * 2 ** 20
const FILES = 16_384

function can(work) {
  try {
    return work() !== false
  } catch {
    return false
  }
}

/** Some bytes out of the memory of another process, where it has some. */
function reads(pid) {
  const [, from] = /^([0-9a-f]+)-/m.exec(readFileSync(`/proc/${pid}/maps`, 'latin1'))
  const file = openSync(`/proc/${pid}/mem`, 'r')
  return fs.readSync(file, Buffer.alloc(8), 0, 8, Number.parseInt(from, 16)) === 8
}

function reaches(options) {
  return new Promise(resolve => {
    const socket = connect(options)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function fills(folder) {
  const file = join(folder, `hotpotato-fills-${process.pid}`)
  const piece = Buffer.alloc(2 ** 20, 1)
  const fd = openSync(file, 'w')
  try {
    for (let sum = 0; sum < BYTES; sum += piece.length)
      if (fs.writeSync(fd, piece) < piece.length) return false
  } finally {
    fs.ftruncateSync(fd, 0)
    closeSync(fd)
    rmSync(file)
  }
}

/** To make them takes a disk too long; a file system that counts none has 0. */
function hasRoom(folder) {
  const { files, ffree } = fs.statfsSync(folder)
  return files === 0 || ffree > FILES
}

/**
 * @param call makes a system call, and says `done` or the name of the error
 * @param pids of the neighbour, the signer, the gateway and the supervisor
 * @param files with secrets: keys of certificates, another function's
 * @param trace the name of a file that is left in /tmp
 */
export async function worth(call, { pids, files, control, abstract, port, trace }) {
  const self = readFileSync('/proc/self/status', 'utf8')
  const every = (values, work) => values.some(value => can(() => work(value)))
  const session = Number(/\) \S (?:\d+ ){2}(\d+)/.exec(readFileSync('/proc/self/stat', 'latin1'))[1])
  return {
    'read the memory of its neighbours, the signer or the supervisor': every(pids, reads),
    'read their environment': every(pids, pid => readFileSync(`/proc/${pid}/environ`).length > 0),
    'take their sockets and channels': every(pids, pid => {
      const [fd] = readdirSync(`/proc/${pid}/fd`)
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`) !== ''
    }),
    'send them signals': every(pids, pid => process.kill(pid, 0)),
    'see which processes there are': every(pids, pid => readdirSync('/proc').includes(`${pid}`)),
    'read keys of certificates and secrets of other functions': every(
      files,
      file => readFileSync(file).length > 0,
    ),
    'give commands to the platform': await reaches({ path: control }),
    'reach servers of the machine, and the network': await reaches({ port, host: '127.0.0.1' }),
    'reach abstract sockets': await reaches({ path: `\0${abstract}` }),
    'leave files in the `/tmp` of the machine': can(() => fs.writeFileSync(join('/tmp', trace), 'x')),
    'fill `/tmp` beyond 64 MiB': can(() => fills('/tmp')),
    'make more than 16384 files there': hasRoom('/tmp'),
    'start setuid programs with their rights': !/^NoNewPrivs:\s+1$/m.test(self),
    'leave a core file': !/^Max core file size +0 +0 /m.test(readFileSync('/proc/self/limits', 'latin1')),
    'make namespaces of its own': spawnSync('unshare', ['--user', 'true']).status === 0,
    'use `keyctl` of the kernel': !/^(EPERM|ENOSYS|EACCES)$/.test(call('keyctl', 0, 0xfffffffd, 0)),
    'be in the session of the supervisor’s terminal': session > 1 && session !== process.pid,
    'live on when the supervisor is killed': outlives(call),
  }
}

/** As `PR_SET_PDEATHSIG` is told; then it is as it was. */
function outlives(call) {
  const came = call('prctl', 1, 0, 0, 0, 0)
  call('prctl', 1, 9, 0, 0, 0)
  return came === 'done'
}
