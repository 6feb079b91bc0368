import { CONNECT_FLAGS } from '../../connect/flags.ts'
import { defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'connect',
  synopsis: 'HOST:PORT',
  summary: 'a TLS client, to try servers with',
  words: { least: 1, most: 1, needs: 'HOST:PORT; see hotpotato connect --help' },
  options: CONNECT_FLAGS,
  fromEnvironment: true,
  help: `A TLS 1.3 client: it shows the handshake on standard error, sends what comes on standard input, and
prints what the server sends. Status 0 says that both sides ended in order.`,
  examples: [
    'hotpotato connect echo.localhost:8443 --ca certs/ca.crt',
    "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | hotpotato connect example.org:443 --quiet",
  ],
  async run(options, [target]) {
    const { connect } = await import('../../connect/connect.ts')
    await connect(target!, options)
  },
})
