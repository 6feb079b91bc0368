import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/order.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
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
