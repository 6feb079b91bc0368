import { Session } from '../../src/tls13/session.ts'

/** Whether this is the run in which sessions move all the time (`vitest.moves.config.ts`). */
export const THROUGH_MOVES = 'moves' in Session
