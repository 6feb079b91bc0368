/** What the crowd of clients is told and says. */
export type Order =
  /** So many WebSockets more. */
  | { readonly do: 'open'; readonly count: number }
  /** One message on each of these, one after the other, each answered before the next. */
  | { readonly do: 'ask'; readonly sockets: readonly number[] }

export type Report =
  | { readonly say: 'opened' }
  /** Milliseconds from each message to its answer. */
  | { readonly say: 'answered'; readonly times: readonly number[] }

export interface Role {
  readonly port: number
  readonly authority: string
}

/** Of the function, and so of its certificate. */
export const FUNCTION = 'chat'
export const HOST = `${FUNCTION}.localhost`
