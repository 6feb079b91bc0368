import { defineCommand } from '../../line/command.ts'
import { SERVE_FLAGS } from '../../serve/flags.ts'

export const command = defineCommand({
  name: 'serve',
  synopsis: '--cert FILE --key FILE',
  summary: 'a TLS server that answers over HTTP, to try clients with',
  words: { least: 0, most: 0 },
  options: SERVE_FLAGS,
  fromEnvironment: true,
  help: `A TLS 1.3 server that answers over HTTP/1 and HTTP/2: GET / says hello, GET /bytes/N gives N bytes,
POST /echo returns what comes, GET /tls tells what was negotiated. It stays until Ctrl-C.`,
  examples: ['hotpotato serve --cert certs/echo.crt --key certs/echo.key --port 4433'],
  async run(options) {
    const { serve } = await import('../../serve/serve.ts')
    await serve(options)
  },
})
