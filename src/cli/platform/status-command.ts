import { STATUS } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { sendCommand } from './control-socket.ts'
import { type Chosen, notRunning, runDirectoryOf } from './order.ts'
import { controlSocket } from './run-directory.ts'
import { type PlatformStatus, statusText } from './status.ts'

/** Prints the status; that nothing runs is an answer, too, and not an error. @throws ConfigError */
export async function showStatus({
  json,
  connections,
  config,
}: Chosen & { readonly connections: boolean }): Promise<void> {
  const command = connections ? 'status connections' : 'status'
  const answer = (await sendCommand(controlSocket(runDirectoryOf({ config })), command)) as
    | PlatformStatus
    | undefined
  if (answer === undefined) {
    say(notRunning(config))
    process.exitCode = STATUS.failed
    return
  }
  say(json === true ? JSON.stringify(answer) : statusText(answer))
}
