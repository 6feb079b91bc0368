import type { Ask } from './onlooker.ts'

/** The platform that lessons are about. */
export interface Pupil {
  /** Its stack file, if one was named. */
  readonly config: string | undefined
  /** The function that is asked. */
  readonly functionName: string
  /** Where its HTTPS port is reached. */
  readonly address: string
  readonly port: number
  readonly host: string
  /** What stands before the paths of its function. */
  readonly prefix: string
  /** The certificates of its functions. */
  readonly authority: string
  /** A path of another function, to which the connection moves; undefined: there is none. */
  readonly other: string | undefined
  /** Gives the platform an order, where it teaches; undefined: it does not. */
  readonly ask?: Ask | undefined
}
