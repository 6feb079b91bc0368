import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { probeEvp } from '../../tls13/crypto/evp.ts'
import { probe } from '../../transfer/native/libc.ts'
import { programPath } from '../platform/program-path.ts'
import { type Finding, fault, note, ok } from './finding.ts'

/** Descriptors that a gateway with the connections of the default configuration may need. */
const DESCRIPTORS = 16_384
/** Milliseconds for a program to say what it is. */
const PATIENCE = 5000

/** What the machine and its kernel allow. */
export function checkMachine(): Finding[] {
  return [checkSystem(), checkNode(), checkDescriptors(), checkForeign(), checkEvp(), checkUsers()]
}

function checkSystem(): Finding {
  const { platform, arch } = process
  return platform === 'linux'
    ? ok('system', `${platform} ${arch}`)
    : fault('system', `${platform} ${arch}`, 'it needs Linux')
}

function checkNode(): Finding {
  const { node } = process.versions
  const [major = 0, minor = 0] = node.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? ok('node', node)
    : fault('node', node, 'Node 20.19 or newer is needed')
}

function checkDescriptors(): Finding {
  const [, hard = ''] = /^Max open files\s+\S+\s+(\S+)/m.exec(read('/proc/self/limits')) ?? []
  const most = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  if (!(most < DESCRIPTORS)) return ok('descriptors', `up to ${hard} for each process`)
  const without = `a gateway holds at most about ${Math.max(0, most - 100)} connections at a time`
  return note('descriptors', `up to ${hard} for each process`, without, `ulimit -Hn ${DESCRIPTORS}`)
}

function checkForeign(): Finding {
  const found = probe()
  if (found.available) return ok('foreign calls', 'koffi works')
  const without = "connections move over Node's IPC, which is slower, and none outlives a crash"
  return note('foreign calls', found.reason, without, 'npm install koffi; it has builds for x64 and arm64')
}

function checkEvp(): Finding {
  const found = probeEvp()
  if (found.available) return ok('libcrypto', "OpenSSL's, in this Node")
  return note('libcrypto', found.reason, 'TLS is computed through node:crypto: more time for each record')
}

function checkUsers(): Finding {
  const what = 'user namespaces'
  const unshare = programPath('unshare')
  const without = 'isolation: sandbox needs them, unless it is root that runs hotpotato'
  if (unshare === undefined)
    return note(what, 'cannot be tried without unshare', without, 'apt install util-linux')
  const { status } = spawnSync(unshare, ['--user', '--map-root-user', 'true'], { timeout: PATIENCE })
  if (status === 0) return ok(what, 'can be made')
  const most = read('/proc/sys/user/max_user_namespaces').trim()
  const allowed = read('/proc/sys/kernel/unprivileged_userns_clone').trim()
  const advice = allowed === '0' ? 'sysctl kernel.unprivileged_userns_clone=1' : 'ask who runs this machine'
  return note(
    what,
    `the kernel refuses them${most === '0' ? ' (max_user_namespaces is 0)' : ''}`,
    without,
    advice,
  )
}

/** A program, what it is for, and the package that has it. */
const PROGRAMS: readonly (readonly [name: string, without: string, packaged: string])[] = [
  ['openssl', 'only commands to try: hotpotato connect does the same', 'openssl'],
  ['curl', 'only commands to try: hotpotato invoke does the same', 'curl'],
  ['age', 'only that keys for hotpotato seal can be made with it', 'age'],
  ['python3', 'functions in Python', 'python3'],
]

/** What each program says it is, or what one loses without it. */
export function checkPrograms(): Finding[] {
  return PROGRAMS.map(([name, without, packaged]) => {
    const path = programPath(name)
    if (path === undefined) return note(name, 'is not installed', without, `apt install ${packaged}`)
    const word = name === 'openssl' ? 'version' : '--version'
    const { stdout, stderr } = spawnSync(path, [word], { timeout: PATIENCE, encoding: 'utf8' })
    const said = `${stdout || stderr || ''}`.split('\n', 1)[0]!.trim()
    return ok(name, said === '' ? path : said.slice(0, 80))
  })
}

/** Packages of npm that a part of hotpotato needs, and the rest does without. */
const PACKAGES: readonly (readonly [name: string, without: string])[] = [
  ['@peculiar/x509', 'certificates cannot be made: put your own into the directory of certificates'],
  ['pino-pretty', 'hotpotato logs shows JSON on terminals, too'],
  ['sharp', 'the function resize answers 501'],
  ['prom-client', 'the admin port has no metrics'],
  ['age-encryption', 'sealed functions'],
  ['markdown-it', 'the function files shows Markdown as it stands'],
]

/** Which packages can be loaded from here. */
export function checkPackages(): Finding[] {
  return PACKAGES.map(([name, without]) => {
    try {
      import.meta.resolve(name)
      return ok(name, 'installed')
    } catch {
      return note(name, 'is not installed', without, 'npm install --include=optional')
    }
  })
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
