import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { STREAM_FD } from './frames.ts'

/** A process that was started, and the stream to it. */
export interface Launched {
  readonly pid: number | undefined
  readonly stream: Duplex
  /** Ends it, whatever it does. */
  kill(): void
  /** Settled when it has ended, with how. */
  readonly ended: Promise<string>
}

/** The interpreter of a function that is no JavaScript. */
export interface Interpreted {
  /** Absolute. */
  readonly program: string
  /** Its template has answers with a head. */
  readonly http: boolean
}

/** Of util-linux; without it a worker that hangs outlives a container that is killed. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find(file => existsSync(file))

/** Ends with its parent, cannot gain rights, and has none of root's. */
const CONFINED = ['--pdeathsig', 'KILL', '--no-new-privs', '--inh-caps=-all']

/**
 * Starts the process of a worker: with an empty environment, no descriptor but its stream and the log, and
 * leave of Node to read its own program and nothing else, to write nothing and to start nothing. One for an
 * interpreter has no module of a bundle, and may start that.
 * @param entry its program @param readable further folders that it, or its interpreter, may read
 * @param lock the program of a process that has the kernel refuse itself what Node does not, and becomes that
 * of its arguments; undefined: foreign calls do not work here, or an interpreter does that itself
 */
export function launch(
  entry: URL,
  readable: readonly string[] = [],
  python?: Interpreted,
  lock?: URL,
): Launched {
  const file = fileURLToPath(entry)
  const flags = [
    ...permissions([...programFolders(file), ...readable]),
    python === undefined ? '--experimental-vm-modules' : '--allow-child-process',
    '--no-warnings',
    ...(supports('--disable-sigusr1') ? ['--disable-sigusr1'] : []),
    file,
    ...(python === undefined ? [] : [python.program, python.http ? 'http' : 'text', ...readable]),
  ]
  const root = process.getuid?.() === 0 ? ['--bounding-set=-all'] : []
  const locked = lock === undefined || python !== undefined ? [] : [fileURLToPath(lock), process.execPath]
  const words = [...locked, ...flags]
  const [program, args] =
    SETPRIV === undefined
      ? [process.execPath, words]
      : [SETPRIV, [...CONFINED, ...root, '--', process.execPath, ...words]]
  const child = spawn(program, args, { env: {}, cwd: '/', stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
  return launched(child)
}

function launched(child: ChildProcess): Launched {
  return {
    pid: child.pid,
    stream: child.stdio[STREAM_FD] as Duplex,
    kill: () => void child.kill('SIGKILL'),
    ended: new Promise(settle => {
      child.once('error', error => settle(error.message))
      child.once('exit', (code, signal) => settle(signal ?? `exit code ${code}`))
    }),
  }
}

/** Where the program's own modules lie, and the packages that they import. */
function programFolders(file: string): string[] {
  const folders: string[] = [join(file.slice(0, file.lastIndexOf(`${join('/', 'src')}/`)), 'src')]
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(packages)) folders.push(packages)
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) folders.push(manifest)
  }
  return folders
}

/** Node's permission model: it refuses what these do not allow. */
function permissions(readable: readonly string[]): string[] {
  const model = supports('--permission') ? '--permission' : '--experimental-permission'
  const net = supports('--allow-net') ? ['--allow-net'] : []
  return [model, ...readable.map(path => `--allow-fs-read=${path}`), ...net]
}

const supports = (flag: string): boolean => process.allowedNodeEnvironmentFlags.has(flag)
