/**
 * A server on a Unix socket, and a client whose context knows that this is where `http://app.local` is.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../src/client/index.ts'
import { network, serve, unix } from '../../src/transport/index.ts'
import { say } from './lib/say.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-example-'))
const path = join(directory, 'app.sock')
const server = await serve({
  transport: unix.listen({ path }),
  request: ({ headers }, response) =>
    response.reply({
      status: 200,
      body: `for ${headers.find(([name]) => name.toLowerCase() === 'host')?.[1]}`,
    }),
})

const client = new Client({ connector: network().over('http://app.local', unix, { path }) })
say(await (await client.fetch('http://app.local/')).text())
await client.close()
await server.stop()
rmSync(directory, { recursive: true })
