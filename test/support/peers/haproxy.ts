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
