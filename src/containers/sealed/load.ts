import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { FunctionError } from '../../functions/module-file.ts'
import { type Interpreted, launch } from '../../functions/sealed/launch.ts'
import { type SealedModule, sealedFunction } from '../../functions/sealed/sealed-function.ts'
import { StateFiles } from '../../functions/sealed/state-files.ts'
import type { Log } from '../../platform/log.ts'
import type { WorkerSettings } from '../../platform/worker-settings.ts'
import { SealedError } from '../../sealed/error.ts'
import type { Clock } from '../../time/clock.ts'
import type { CryptoProvider } from '../../tls13/index.ts'
import { probe } from '../../transfer/native/libc.ts'

/** The program of its workers. */
const WORKER = new URL('./main.js', import.meta.url)

/** What has the kernel refuse them what Node does not. */
const LOCK = new URL('./lock.js', import.meta.url)

/**
 * Keys pass through here: no other process of this user may read this one's memory, its workers neither, and
 * none of them leaves a core.
 */
function keepToOurselves(log: Log): void {
  const native = probe()
  if (!native.available) {
    log.warn('without foreign calls, other processes of this user can read the memory of this one')
    log.warn('without foreign calls, its function can reach Unix sockets and signal processes of this user')
    return
  }
  native.libc.hideMemory()
  native.libc.limit('core', 0)
}

/**
 * The interpreter itself: a worker has no environment by which what stands for it could find it.
 * @returns undefined: the function is JavaScript @throws FunctionError it cannot be started
 */
function interpreterOf(lang = ''): Interpreted | undefined {
  if (!lang.startsWith('python')) return undefined
  const { stdout } = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' })
  const program = stdout?.trim()
  if (program) return { program, http: lang.startsWith('python3-http') }
  throw new FunctionError('missing', 'there is no program python3 in PATH, which a function in Python needs')
}

/** The function of a bundle, which stays sealed. @throws FunctionError there is no bundle that is one */
export function loadSealed(
  {
    sealed,
    functionName,
    lang,
    timers,
    secretsDirectory,
  }: Pick<WorkerSettings, 'sealed' | 'functionName' | 'lang' | 'timers' | 'secretsDirectory'>,
  { crypto, clock, log }: { readonly crypto: CryptoProvider; readonly clock: Clock; readonly log: Log },
): SealedModule | undefined {
  if (sealed === undefined) return undefined
  const { bundle: file, cacheMilliseconds, warm, directory, fork } = sealed
  keepToOurselves(log)
  const python = interpreterOf(lang)
  const readable = secretsDirectory === undefined ? [] : [secretsDirectory]
  try {
    return sealedFunction({
      functionName,
      lang,
      fork,
      file,
      bundle: new Uint8Array(readFileSync(file)),
      cacheMilliseconds,
      warm,
      timeout: timers.handler,
      crypto,
      clock,
      log,
      keeper: new StateFiles(directory),
      launch: () => launch(WORKER, readable, python, probe().available ? LOCK : undefined),
    })
  } catch (error) {
    if (!(error instanceof SealedError) && (error as NodeJS.ErrnoException).code === undefined) throw error
    throw new FunctionError('unloadable', `${file} cannot be used: ${(error as Error).message}`, error)
  }
}
