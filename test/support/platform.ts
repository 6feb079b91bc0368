import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CertificateName, makeCertificates } from '../../src/certificates/authority.ts'
import { type Command, sendCommand } from '../../src/cli/platform/control-socket.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'

/**
 * The road that platforms take unless a test says otherwise; `npm run test:relay` runs all of these tests
 * over the other one.
 */
export const CARRIER: 'fd' | 'relay' = process.env.HOTPOTATO_TEST_CARRIER === 'relay' ? 'relay' : 'fd'

/** Of the checkout; this file is compiled, too, for `npm run demo:hosts`. */
const ROOT = import.meta.url.includes('/dist/test/') ? '../../../' : '../../'
/** The compiled `hotpotato` command. */
export const MAIN = fileURLToPath(new URL(`${ROOT}dist/src/cli/main.js`, import.meta.url))

export interface PlatformOptions {
  /** Instead of {@link CONFIG}; ports, run directory and certificates come from the environment. */
  readonly config?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Options of `up`. */
  readonly args?: readonly string[]
  /** Files beside the configuration, by name: modules of functions. */
  readonly files?: Readonly<Record<string, string>>
  /** Made for it, instead of one for each of the four functions. */
  readonly certificates?: readonly CertificateName[]
  /**
   * A directory of an earlier platform, with its certificates; by default it is made, and removed by `stop`.
   */
  readonly directory?: string
  /** A user, and a group of the same number, that it is started as; by default this process's. */
  readonly user?: number
  /** Whether it leads a session of its own, as the shell of a terminal does; by default it stays in ours. */
  readonly session?: boolean
  /** A program with its arguments that becomes the supervisor; by default nothing stands before it. */
  readonly front?: readonly string[]
}

/** What a file has; nothing where there is none, as for a moment while a log is rotated, or of a process. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (/^(ENOENT|ESRCH)$/.test((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

/** Three functions, and limits that no test reaches by accident. Each function more costs a process. */
export const CONFIG = `
version: 1
gateway:
  defaultFunction: echo
  limits: { helloSeconds: 60 }
connection:
  requests: 1000000
  timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo:
    hosts: [echo.local, "*.echo.local"]
  hello: {}
  echo-raw: {}
`
/** The same, and one more. */
export const WITH_RESIZE: string = `${CONFIG}  resize: {}\n`

const CERTIFICATES: readonly CertificateName[] = ['echo', 'resize', 'hello', 'echo-raw'].map(name => ({
  name,
  hosts: [`${name}.local`, ...(name === 'echo' ? ['*.echo.local'] : [])],
}))
/** Milliseconds for things that a machine under load takes its time for. */
const PATIENCE = 180_000
/** And for six processes that start at once. */
const START = 300_000

/** A directory for one platform, 0700, with certificates in it and a configuration. */
export async function makeDirectory(config = CONFIG, certificates = CERTIFICATES): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-e2e-'))
  writeFileSync(join(directory, 'hotpotato.yml'), config)
  await makeCertificates({ directory: join(directory, 'certs'), certificates, now: Date.now() })
  return directory
}

/** Gives a directory and all that lies in it to a user. */
function give(path: string, user: number): void {
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) give(join(path, name), user)
  chownSync(path, user, user)
}

/** How a command ended, and what it said. */
export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  /** But for what it was at. */
  readonly stderr: string
  /** What it said that it was at: on a busy machine more than on a quiet one. */
  readonly progress: string
}

const PROGRESS = /^(starting .*|\S.* (is|are) ready and rehearsing moves|moving the connections of .*)\n/gm

/** The environment of a command that concerns the platform in that directory. */
export function environmentOf(
  directory: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(HOTPOTATO_|SSLKEYLOGFILE$|NODE_OPTIONS$)/.test(name),
  )
  return {
    ...(Object.fromEntries(own) as Record<string, string>),
    HOTPOTATO_RUN_DIR: join(directory, 'run'),
    HOTPOTATO_CERTS_DIR: join(directory, 'certs'),
    HOTPOTATO_HTTP_PORT: '0',
    HOTPOTATO_HTTPS_PORT: '0',
    HOTPOTATO_LOG_LEVEL: 'debug',
    HOTPOTATO_CARRIER: CARRIER,
    // They make moves fast, and starts and roll-outs slow.
    HOTPOTATO_REHEARSALS: '0',
    ...more,
  }
}

/** Runs `hotpotato` to its end. */
export async function hotpotato(
  directory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = spawnMain(directory, args, environment)
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  await once(child, 'close')
  const progress = (stderr.match(PROGRESS) ?? []).join('')
  return { code: child.exitCode, stdout, stderr: stderr.replaceAll(PROGRESS, ''), progress }
}

function spawnMain(
  directory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { user, session = false, front = [] }: Pick<PlatformOptions, 'user' | 'session' | 'front'> = {},
): ChildProcess {
  if (!existsSync(MAIN)) throw new Error('these tests run what is built: npm run build first')
  const words = [...front, process.execPath, MAIN, ...args, '--config', join(directory, 'hotpotato.yml')]
  return spawn(words[0]!, words.slice(1), {
    env: environmentOf(directory, environment),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: session,
    ...(user === undefined ? {} : { uid: user, gid: user }),
  })
}

/** A platform as a user starts it: real processes, ports of its own. */
export class Platform {
  readonly directory: string
  readonly http: number
  readonly https: number
  /** The supervisor. */
  readonly child: ChildProcess
  readonly #welcome: () => string
  readonly #remove: boolean

  /** @throws Error with what it said, if it does not come up */
  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const directory = options.directory ?? (await makeDirectory(options.config, options.certificates))
    if (options.directory !== undefined && options.config !== undefined)
      writeFileSync(join(directory, 'hotpotato.yml'), options.config)
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(directory, name), text)
    if (options.user !== undefined) give(directory, options.user)
    const args = ['up', ...(options.args ?? [])]
    const child = spawnMain(directory, args, options.environment ?? {}, options)
    let said = ''
    const up = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`it does not come up:\n${said}`)), START)
      const take = (text: string): void => {
        said += text
        if (said.includes('Ctrl-C')) {
          clearTimeout(timer)
          resolve()
        }
      }
      child.stdout!.setEncoding('utf8').on('data', take)
      child.stderr!.setEncoding('utf8').on('data', take)
      child.once('exit', code => {
        clearTimeout(timer)
        reject(new Error(`it ended with ${code}:\n${said}`))
      })
    })
    try {
      await up
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
    return new Platform(directory, child, () => said, options.directory === undefined)
  }

  private constructor(directory: string, child: ChildProcess, welcome: () => string, remove: boolean) {
    this.directory = directory
    this.child = child
    this.#welcome = welcome
    this.#remove = remove
    this.http = Number(welcome().match(/^ {2}http +\S+:(\d+)$/m)?.[1])
    this.https = Number(welcome().match(/^ {2}https +\S+:(\d+)$/m)?.[1])
  }

  /** What `up` has printed. */
  get welcome(): string {
    return this.#welcome()
  }

  get caFile(): string {
    return join(this.directory, 'certs', 'ca.crt')
  }

  get ca(): string {
    return readFileSync(this.caFile, 'utf8')
  }

  /** Everything that was logged and is still kept. */
  get log(): string {
    const file = join(this.directory, 'run', 'hotpotato.log')
    return [...[4, 3, 2, 1].map(number => `${file}.${number}`), file].map(read).join('')
  }

  get #control(): string {
    return join(this.directory, 'run', 'control.sock')
  }

  /** Gives a command to its control socket, as `hotpotato` does. @throws Error no process listens there */
  async order<T>(command: Command): Promise<T> {
    const answer = await sendCommand(this.#control, command)
    if (answer === undefined) throw new Error('nothing runs there')
    return answer as T
  }

  async status(): Promise<MemberStatus[]> {
    return (await this.order<{ members: MemberStatus[] }>('status')).members
  }

  async member(name: string): Promise<MemberStatus> {
    const found = (await this.status()).find(one => one.name === name)
    if (found === undefined) throw new Error(`there is no ${name} now`)
    return found
  }

  /** Waits until a member matches. @throws Error if that takes too long */
  async until(name: string, matches: (member: MemberStatus) => boolean): Promise<MemberStatus> {
    return eventually(async () => {
      const found = (await this.status()).find(one => one.name === name)
      return found !== undefined && matches(found) ? found : undefined
    }, `${name} is not as it should be`)
  }

  /** Kills a member, and waits until the supervisor has noticed. */
  async kill(name: string): Promise<void> {
    const { pid } = await this.member(name)
    const noticed = (): number => this.log.split(`${name} ended`).length
    const before = noticed()
    process.kill(pid!, 'SIGKILL')
    await eventually(
      () => (noticed() > before ? true : undefined),
      `the supervisor has not noticed that ${name} ended`,
    )
  }

  /** Counters of all members, summed up. */
  async total(counter: string): Promise<number> {
    return (await this.status()).reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0)
  }

  /** Waits until no process has a connection, and nothing is underway. */
  async idle(): Promise<void> {
    await eventually(
      async () =>
        (await this.status()).every(
          ({ ready, counters }) => ready && counters.connections === 0 && counters.inCustody === 0,
        )
          ? true
          : undefined,
      'some process still has a connection',
    )
  }

  /** Open descriptors of each process, the supervisor among them. */
  async descriptors(): Promise<Record<string, number>> {
    const members = await this.status()
    // The supervisor may not have closed yet what it was asked by.
    await eventually(
      () => (isConnected(dirname(this.#control)) ? undefined : true),
      'a command is still answered',
    )
    const counts = members.map(({ name, pid }) => [name, countDescriptors(pid!)] as const)
    // The supervisor opens and closes its log as it needs it.
    const log = openFilesOf(this.child.pid!).filter(file => file.endsWith('.log')).length
    return { supervisor: countDescriptors(this.child.pid!) - log, ...Object.fromEntries(counts) }
  }

  /** Ends it, and removes its directory. */
  async stop(): Promise<void> {
    await this.end('SIGTERM')
    if (this.#remove) rmSync(this.directory, { recursive: true, force: true })
  }

  /** Sends a signal to the supervisor and waits until it has ended. @returns its exit code */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill(signal)
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
      await ended
      clearTimeout(timer)
    }
    return child.exitCode
  }
}

/**
 * Whether a Unix socket in that folder has a connection; its sixth column is 03 then (`SS_CONNECTED`). The
 * control socket is listed by the name that it was bound to before it took its place.
 */
function isConnected(folder: string): boolean {
  const lines = readFileSync('/proc/net/unix', 'latin1').split('\n')
  return lines.some(line => line.includes(` ${folder}/`) && line.split(/ +/)[5] === '03')
}

/** What the descriptors of a process stand for: paths of files, and names such as `socket:[123]`. */
function openFilesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      // It was the one that the folder was read with, or has been closed since.
      return []
    }
  })
}

/** Sockets, pipes and files that a process has open. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/**
 * Leaves a process no room for another descriptor, or for so many; with `none` not even in place of one that
 * it closes.
 * @returns what takes that back
 */
export function limitDescriptors(pid: number, spare: number | 'none' = 0): () => void {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = spare === 'none' ? 3 : 0
  if (spare !== 'none') for (let left = spare; taken.has(free) || left-- > 0; ) free++
  const set = (soft: string): void => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`prlimit: ${stderr}`)
  }
  const before = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))![1]!
  set(String(free))
  return () => set(before)
}

/** Whether a process of that id is there; a dead one that its parent has not waited for does not count. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The processes that a process has started and that still run. */
export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`)
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number)
}

/** The same with what those have started, and so on. */
export function descendantsOf(pid: number): number[] {
  const children = isRunning(pid) ? childrenOf(pid) : []
  return children.flatMap(child => [child, ...descendantsOf(child)])
}

/** Asks again and again until there is an answer. @throws Error with `otherwise` if that takes too long */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  otherwise: string,
): Promise<T> {
  // What is waited for needs the machine more than who asks for it.
  for (let end = Date.now() + PATIENCE, pause = 5; ; pause = Math.min(pause * 1.5, 100)) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > end) throw new Error(otherwise)
    await new Promise(resolve => setTimeout(resolve, pause))
  }
}
