import { say } from '../terminal/output.ts'
import { sendCommand } from './control-socket.ts'
import { runDirectoryOf } from './order.ts'
import { controlSocket } from './run-directory.ts'

/** Ends the platform, if it runs, and says so. @throws ConfigError */
export async function stopPlatform(config: string | undefined): Promise<void> {
  const answer = await sendCommand(controlSocket(runDirectoryOf({ config })), 'stop')
  say(answer === undefined ? 'hotpotato is not running' : 'stopped')
}
