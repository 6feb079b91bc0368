// A server that would listen on all interfaces runs in a network namespace of its own, where there is nothing
// but a loopback. This leads a Unix socket, which the file system shows to both sides, to its port there.
//   unshare … node bridge.mjs SOCKET PORT COMMAND ARGUMENT…
import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const [socketPath, port, command, ...args] = process.argv.slice(2)
const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] })
child.on('exit', code => process.exit(code ?? 1))
child.on('error', error => {
  process.stderr.write(`${error}\n`)
  process.exit(1)
})
process.stdin.on('end', () => child.kill()).resume()

await untilItListens()
const server = createServer({ allowHalfOpen: true }, outer => {
  const inner = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true })
  outer.pipe(inner).pipe(outer)
  for (const [one, other] of [
    [outer, inner],
    [inner, outer],
  ]) {
    one.on('error', () => other.destroy())
    one.on('close', () => setTimeout(() => other.destroy(), 100))
  }
})
server.listen(socketPath, () => process.stdout.write('bridge ready\n'))

async function untilItListens() {
  const { readFileSync } = await import('node:fs')
  const wanted = `:${Number(port).toString(16).toUpperCase().padStart(4, '0')} `
  // Looking, not connecting: it would take that for a client.
  const listening = () =>
    ['/proc/self/net/tcp', '/proc/self/net/tcp6'].some(file =>
      readFileSync(file, 'utf8')
        .split('\n')
        .some(line => line.includes(wanted) && line.includes(' 0A ')),
    )
  while (!listening()) await wait(10)
}
