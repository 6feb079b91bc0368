/** What `accessLog` in the stack file may say. */
export const ACCESS_LOGS = ['off', 'common', 'json'] as const
export type AccessLogSetting = (typeof ACCESS_LOGS)[number]
/** How a line of an access log is written. */
export type AccessForm = Exclude<AccessLogSetting, 'off'>

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
