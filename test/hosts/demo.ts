import type { Client } from '../support/client.ts'
import { textOf } from '../support/client.ts'
import { HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'

/*
 * `npm run demo:hosts`: two platforms on this machine, as if each had one of its own, and a real etcd. One
 * connection goes from host to host, and outlives one of them.
 */

const begun = performance.now()

function tell(text: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5)
  process.stdout.write(`${seconds} s  ${text}\n`)
}

const WORK = "export default () => new Response('host ' + process.env.HOST + ', process ' + process.pid)"
const functionOn = (host: string): string =>
  `  echo: { hosts: [echo.local], handler: ./work.mjs, environment: { HOST: ${host} } }\n`

/** Asks once more on the one connection, and tells what came. */
async function ask(client: Client): Promise<void> {
  const began = performance.now()
  const answer = textOf(await client.request('/'))
  const milliseconds = (performance.now() - began).toFixed(1)
  tell(`  answered by ${answer}, in ${milliseconds} ms; TLS handshakes so far: ${client.handshakes}`)
}

async function story(scene: HostsScene): Promise<void> {
  const { a, b } = scene
  tell(`host a listens on 127.0.0.1:${a.https}, host b on 127.0.0.1:${b.https}; their links have met`)
  const { client } = await scene.client('/')
  tell('a client has connected to host a, over TLS 1.3')
  await ask(client)
  const move = async (from: typeof a, to: string): Promise<void> => {
    const [connection] = await scene.connections(from)
    tell(`hotpotato move ${connection!.id.slice(0, 8)} ${to}`)
    await from.order(`move ${connection!.id} ${to}`)
    await ask(client)
  }
  await move(a, 'b/echo-1')
  await move(b, 'a/echo-1')
  await move(a, 'b/echo-1')
  tell('host b is killed, with all its processes: SIGKILL')
  const pids = (await b.status()).flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
  for (const pid of [b.child.pid!, ...pids]) process.kill(pid, 'SIGKILL')
  await ask(client)
  tell('the same TCP connection, the same TLS session: host a had a checkpoint, sealed, that b made')
  await client.close()
}

const version = versionOf('etcd')
if (version === undefined) {
  process.stderr.write(`demo:hosts needs etcd. ${noteOf(version, 'etcd', 'etcd-server')}\n`)
  process.exitCode = 1
} else {
  tell(`starting etcd (${version}) and two hosts`)
  const functions = { a: functionOn('a'), b: functionOn('b') }
  const scene = await HostsScene.start(functions, { 'work.mjs': WORK }, { leaseSeconds: 6, processes: 2 })
  try {
    await story(scene)
  } finally {
    await scene.stop()
  }
  tell('all processes have ended')
}
