/**
 * A transport of one's own: a kind says how a connection is opened, and what it needs for that. Here it is
 * the standard input and output of a program; `socat` or `ssh HOST nc …` would do as well.
 * @module
 */
import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { Client } from '../../src/client/index.ts'
import { http, type Kind, network, overDuplex } from '../../src/transport/index.ts'
import { say } from './lib/say.ts'

const program: Kind<{ readonly command: string }> = {
  name: 'program',
  async connect({ port }, _attempt, { command }) {
    const { stdin, stdout } = spawn(process.execPath, ['-e', command, String(port)], { stdio: 'pipe' })
    const stream = Duplex.from({ writable: stdin, readable: stdout })
    return { transport: overDuplex(stream), alpn: undefined, secure: false }
  },
}

const command = `
  const socket = net.connect(process.argv[1], '127.0.0.1')
  process.stdin.pipe(socket).pipe(process.stdout)`
const server = await http({
  port: 0,
  request: (_, response) => response.reply({ status: 200, body: 'hello' }),
})
const client = new Client({ connector: network().over('http://behind.local', program, { command }) })
say(await (await client.fetch(`http://behind.local:${server.address.port}/`)).text())
await client.close()
await server.stop()
