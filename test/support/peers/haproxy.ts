import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Program } from '../interop/program.ts'
import { answering, freePort } from './ports.ts'
import type { Identity, Peer } from './servers.ts'

/**
 * An haproxy with TLS in front of a server without.
 * @param folder for its files @param alpn what it speaks @param behind the port of that server
 */
export async function startHaproxy(
  folder: string,
  { cert, key }: Identity,
  alpn: string,
  behind: string,
): Promise<Peer> {
  const port = await freePort()
  const pem = join(folder, `haproxy-${port}.pem`)
  writeFileSync(pem, cert + key, { mode: 0o600 })
  const file = join(folder, `haproxy-${port}.cfg`)
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port} ssl crt ${pem} alpn ${alpn}
  default_backend back
backend back
  server one 127.0.0.1:${behind}
`,
  )
  const program = new Program('haproxy', ['-f', file, '-db'])
  await answering(port)
  return { url: `https://localhost:${port}`, close: () => program.kill() }
}

/**
 * An haproxy that sees bytes alone, and gives each connection to the next of several servers in turn.
 * @param folder for its file @param behind ports of those servers
 */
export async function startBalancer(
  folder: string,
  behind: readonly number[],
): Promise<{ readonly port: number; close(): void }> {
  const port = await freePort()
  const file = join(folder, `balancer-${port}.cfg`)
  const servers = behind.map((one, index) => `  server s${index} 127.0.0.1:${one} check inter 200ms fall 1`)
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  option redispatch
  retries 3
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  balance roundrobin
${servers.join('\n')}
`,
  )
  const program = new Program('haproxy', ['-f', file, '-db'])
  await answering(port)
  return { port, close: () => program.kill() }
}
