/** One level of a log, callable as pino's are: a message, or fields and a message. */
export interface LogMethod {
  (message: string): void
  (fields: object, message?: string): void
}

/** Where a function writes what it has to say. A pino logger is one. */
export interface Log {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
}
