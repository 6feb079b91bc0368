import type { Isolation } from './isolation.ts'

/** A process of the supervisor's user, as every other one. */
export const processLevel: Isolation = {
  level: 'process',
  check: () => undefined,
  command: ({ command: [file, ...args], environment }) => ({
    file: file!,
    args,
    environment,
    feeds: [],
    wrappers: 0,
    parent: undefined,
  }),
}
