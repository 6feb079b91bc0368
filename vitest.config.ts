import { readdirSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/order.ts'

/** What starts a platform, or a command, for each of its questions: half an hour for two cores. */
const PLATFORM = ['acme', 'attacks', 'bench', 'cli', 'end-to-end', 'floods', 'hosts', 'page']
const PARTS = readdirSync('test').filter(folder => !PLATFORM.includes(folder))
/** What shows most of the whole: a client that is moved from function to function. */
const CORE = ['test/end-to-end/core.test.ts', 'test/end-to-end/migrations.test.ts']

export default defineConfig({
  test: {
    // `npm test` is the first, which takes minutes, `npm run test:platform` the second.
    projects: [
      {
        extends: true,
        test: {
          name: 'minutes',
          include: ['test/*.test.ts', `test/{${PARTS}}/**/*.test.ts`, ...CORE],
        },
      },
      {
        extends: true,
        test: { name: 'platform', include: [`test/{${PLATFORM}}/**/*.test.ts`], exclude: CORE },
      },
    ],
    // The default leaves a core to the watcher. Those that start platforms wait more than they work.
    maxWorkers: 4,
    // Files share their worker's modules: to load them anew for each takes longer than many of the tests.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/support/equal-bytes.ts'],
    // For "stuck", and for nothing else: whole platforms of six processes are started, on machines that do
    // other things, too.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Every container that is started would work for a second to be quick later; here that would only be
    // time.
    env: { HOTPOTATO_REHEARSALS: '2' },
  },
})
