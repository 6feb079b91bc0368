import type { FunctionModule } from '../module.ts'

/** A function that is a program, in its container. */
export interface Program {
  readonly module: FunctionModule
  /** What it has counted, for the status. */
  counters(): Readonly<Record<string, number>>
  /** Ends all of its processes. */
  stop(): Promise<void>
}

/** Milliseconds that a process has to end when it is asked to: its container itself has 3 s. */
export const PATIENCE = 2000
