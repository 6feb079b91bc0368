import { readFileSync } from 'node:fs'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { PlatformEndedError, sendCommand } from './control-socket.ts'
import { noneRuns } from './hint.ts'
import { runDirectoryOf } from './order.ts'
import { controlSocket } from './run-directory.ts'
import type { PlatformStatus } from './status.ts'

/** Milliseconds between two looks whether a process is gone, and that it has for that. */
const LOOK = 50
const PATIENCE = 60_000

/** Ends the platform, if it runs, and says so. @throws ConfigError */
export async function stopPlatform(config: string | undefined): Promise<void> {
  say((await stop(controlSocket(runDirectoryOf({ config })))) ? 'stopped' : noneRuns(config, process.env))
}

/**
 * The same, and waits until its processes are gone.
 * @throws ConfigError, CommandError one of them stays
 */
export async function takeDown(config: string | undefined): Promise<void> {
  const socket = controlSocket(runDirectoryOf({ config }))
  const status = (await sendCommand(socket, 'status')) as PlatformStatus | undefined
  if (status === undefined || !(await stop(socket))) return say(noneRuns(config, process.env))
  const pids = [status.pid, ...status.members.flatMap(({ pid }) => (pid === undefined ? [] : [pid]))]
  const end = SYSTEM_CLOCK.steady() + PATIENCE
  for (;;) {
    const left = pids.filter(isRunning)
    if (left.length === 0) break
    if (SYSTEM_CLOCK.steady() > end)
      throw new CommandError(
        `told to stop, and ${left.join(', ')} still ${left.length === 1 ? 'runs' : 'run'}`,
      )
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(LOOK, resolve))
  }
  say('stopped')
}

/** @returns whether it ran; one that was killed meanwhile has stopped, too */
async function stop(socket: string): Promise<boolean> {
  return sendCommand(socket, 'stop').then(
    answer => answer !== undefined,
    (error: unknown) => {
      if (error instanceof PlatformEndedError) return true
      throw error
    },
  )
}

/** Whether it does more than wait for its parent to take note of its end. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
