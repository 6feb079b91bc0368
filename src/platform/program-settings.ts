/** How a program in any language is run as a function. */
export const PROGRAM_MODES = ['http', 'socket', 'fork'] as const

/**
 * `http`: one process that speaks HTTP on a port of the loopback; `socket`: the same on a Unix socket;
 * `fork`: one process for each request, which reads its content and writes the answer.
 */
export type ProgramMode = (typeof PROGRAM_MODES)[number]

/** What a container is told of the program that is its function. */
export interface ProgramSettings {
  readonly mode: ProgramMode
  /** The program and its arguments; at least one. */
  readonly command: readonly string[]
  /** Where it is started: an absolute path. */
  readonly directory: string
  /** A private directory in which sockets may be made; absolute. */
  readonly runDirectory: string
  /** A path that must be answered with 2xx before the program counts as ready; undefined: it listens. */
  readonly ready: string | undefined
  /** How it is asked whether it is well; undefined: it is not. */
  readonly health?: HealthSettings | undefined
  /** Where it listens, whatever PORT says; undefined: it listens on PORT. */
  readonly port?: number | undefined
  /** The content of a request is gathered before the program gets it. */
  readonly bufferContent?: boolean
  /** Milliseconds that it has until then. */
  readonly startMilliseconds: number
  /** How one that has ended is started again, in milliseconds: the first pause, and the longest one. */
  readonly restart: { readonly first: number; readonly most: number }
  readonly fork: ForkSettings
}

/** How a program is asked again and again whether it is well. */
export interface HealthSettings {
  /** That is to be answered with 2xx. */
  readonly path: string
  /** Milliseconds from one question to the next, and from the moment when it is ready to the first. */
  readonly every: number
  /** Milliseconds that it has to answer. */
  readonly timeout: number
  /** Questions in a row with which it counts as unwell, and is started anew. */
  readonly failures: number
}

/** What holds for one process a request. */
export interface ForkSettings {
  /** Processes that are started ahead and wait for their request. */
  readonly pool: number
  /** Processes that work at once; one request more gets 429. */
  readonly most: number
  /** Bytes that one may write. */
  readonly outputBytes: number
  /** Of every answer; undefined: the Content-Type of the request, or text. */
  readonly contentType: string | undefined
  /** What it writes on standard error belongs to the answer. */
  readonly combineOutput: boolean
  /** What it answers is in the log, too. */
  readonly writeDebug: boolean
  /** The request's fields are in its environment. */
  readonly cgiHeaders: boolean
  /** The content that it reads is JSON, with the fields and the request's content in base64. */
  readonly marshal: boolean
}
