import type { Step } from '../observatory/telling.ts'
import type { ConnectionStatus } from '../sessions.ts'

/*
 * What the page of lessons is told.
 */

/** What came of a lesson. */
export interface Taught {
  /** The recording, JSON. */
  readonly recording: string
  /** What does the same in a terminal. */
  readonly command: string
  /** What `connect` said at its end, if it was no success: of a broken connection, the alert. */
  readonly said: string
}

/** The server for clients that are not ours. */
export interface Invitation {
  /** What to type. */
  readonly command: string
  /** For a browser. */
  readonly address: string
}

/** A row of what the platform says of the connection: who has it, and how often it has changed hands. */
export interface CustodyRow {
  readonly when: string
  /** Undefined: no container has it. */
  readonly row: Pick<ConnectionStatus, 'container' | 'state' | 'generation' | 'hops' | 'requests'> | undefined
}

/** A live connection, after something was done to it. */
export interface Lived extends Taught {
  /** Its id on the platform. */
  readonly id: string
  /** Whether it can be asked something more. */
  readonly open: boolean
  readonly custody: readonly CustodyRow[]
  /** As its containers tell it. */
  readonly steps: readonly Step[]
}

/** What may be done, and with which containers. */
export interface Chances {
  /** Those that take connections, of the function that lessons ask. */
  readonly containers: readonly string[]
  /** Why a connection would not outlive its container, and what to start; undefined: it would. */
  readonly mortal?: string
}

/** What has been recorded of connections that go on. */
export interface Shown {
  /** To be said with the next question. */
  readonly taken: number
  /** JSON; undefined: there is nothing new. */
  readonly recording?: string
}
