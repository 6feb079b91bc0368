import type { RawHandler } from '../../../src/functions/contract.ts'
import { PID_FIELD } from '../keep-alive.ts'

/**
 * Answers with the path. `/crash/PID` kills the process of that id first, if it is this one: its
 * successor answers.
 */
const crashing: RawHandler = {
  handle({ target }) {
    if (target === `/crash/${process.pid}`) process.kill(process.pid, 'SIGKILL')
    return { status: 200, headers: PID, body: target }
  },
}

export default crashing

const PID = [[PID_FIELD, String(process.pid)]] as const
