import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import ordinary from './vitest.config.ts'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
/** What is put in whose place. */
const MOVING = new Map([
  [path('src/tls13/session.ts'), path('test/support/moving/session.ts')],
  [path('src/http/h1/server.ts'), path('test/support/moving/h1-server.ts')],
  [path('src/http/h2/server.ts'), path('test/support/moving/h2-server.ts')],
])

const { projects: _, ...suites } = ordinary.test!

/**
 * The ordinary suites once more, through moves: every session leaves as bytes between any two things that are
 * asked of it.
 */
export default defineConfig({
  test: {
    ...suites,
    include: [
      'test/{tls13,http,interop,containers}/**/*.test.ts',
      'test/transport/{matrix,connector,errors,secure,serve,server,stopping,undici,web-socket}.test.ts',
      'test/properties/{conversation,input,through-moves}.test.ts',
    ],
    env: { ...suites.env, HOTPOTATO_THROUGH_MOVES: '1' },
  },
  plugins: [
    {
      name: 'moving',
      enforce: 'pre',
      async resolveId(source, importer, options) {
        const resolved = await this.resolve(source, importer, { ...options, skipSelf: true })
        const moving = resolved === null ? undefined : MOVING.get(resolved.id)
        return moving === undefined || importer === moving ? resolved : moving
      },
    },
  ],
})
