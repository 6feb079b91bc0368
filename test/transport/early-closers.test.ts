import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import type { ConnectionFailure, Server } from '../../src/transport/server.ts'
import { alpn, http } from '../../src/transport/services.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { LONG, sample } from '../support/long.ts'
import { has } from '../support/tls-programs.ts'
import { application } from './cases.ts'

/** Times that a whole load is killed in the middle. */
const KILLS = LONG ? 50 : 1

let files: Credentials
beforeAll(async () => {
  files = await credentials()
})

const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const own = () => ({ cert: pem('localhost.crt'), key: pem('localhost.key') })
const failures: ConnectionFailure[] = []
const options = {
  port: 0,
  ...application,
  failed: (failure: ConnectionFailure) => void failures.push(failure),
}

const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  'our TLS': () => alpn({ ...options, tls: own() }),
  'node:tls': () => alpn({ ...options, tls: nodeTlsServer(own()) }),
  'no TLS': () => http(options),
}

/** Clients of many connections, that ask for large answers, and are gone without a word. */
const LOADS: Readonly<Record<string, readonly string[]>> = {
  wrk: ['-t1', '-c20', '-d30s'],
  h2load: ['-c20', '-m10', '-n1000000'],
}

describe.each(Object.keys(LOADS))('%s', program => {
  it.skipIf(!has(program)).each(sample(Object.keys(SERVERS), program === 'wrk' ? 3 : 1))(
    `killed in the middle never ends a server with %s (Debian packages wrk, nghttp2-client)`,
    async name => {
      failures.length = 0
      const server = await SERVERS[name]!()
      const url = `http${name === 'no TLS' ? '' : 's'}://localhost:${server.address.port}/large`
      for (let kill = 0; kill < KILLS; kill++) {
        const child = spawn(program, [...LOADS[program]!, url], { stdio: 'ignore' })
        for (let tries = 0; server.connections < 10 && tries < 20_000; tries++) await sleep(5)
        expect(server.connections).toBeGreaterThanOrEqual(10)
        await sleep(20)
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      for (let tries = 0; server.connections > 0 && tries < 20_000; tries++) await sleep(10)
      expect(server.connections).toBe(0)
      const client = new Client({ tls: { ca: pem('ca.crt') } })
      expect((await client.fetch(url.replace('large', 'a'))).status).toBe(200)
      await client.close()
      // A client that goes in its handshake is told of; no fault of ours is among it.
      expect(failures.filter(({ stage }) => stage !== 'handshake')).toEqual([])
      await server.stop(0)
    },
    // Each takes seconds where other programs are at work.
    240_000 + KILLS * 10_000,
  )
})
