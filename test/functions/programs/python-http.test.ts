import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { FetchHandler } from '../../../src/functions/contract.ts'
import { Forwarder } from '../../../src/functions/programs/forward.ts'
import { ServerProgram } from '../../../src/functions/programs/server-program.ts'
import { PYTHON_HTTP_RUNNER } from '../../../src/platform/python-runner.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { throughFunction } from '../../support/application.ts'
import { isInstalled, missing } from '../../support/programs.ts'

const PYTHON = isInstalled('python3', ['--version'])

/** As OpenFaaS's template has it, with another file beside it. */
const HANDLER = `
from .words import shout

def handle(event, context):
    if event.path == "/map":
        return {"statusCode": 201, "body": {"a": [1]}, "headers": {"X-Host": context.hostname and "yes"}}
    if event.path == "/bytes":
        return {"body": bytes([0, 128, 255]), "headers": {"Content-Type": "application/octet-stream"}}
    if event.path == "/none":
        return None
    if event.path == "/fails":
        raise ValueError("secret")
    said = [event.method, event.query.get("a", "-"), event.headers.get("X-B", "-"), ""]
    return shout(" ".join(said)) + event.body.decode()
`

describe.skipIf(!PYTHON)(`the template python3-http${missing(PYTHON, 'python3', 'python3')}`, () => {
  let directory: string
  let program: ServerProgram
  let handler: FetchHandler
  const entries: string[] = []

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-python-'))
    writeFileSync(join(directory, 'handler.py'), HANDLER)
    writeFileSync(join(directory, 'words.py'), 'def shout(text):\n    return text.upper()\n')
    const note = (...all: unknown[]): void => void entries.push(all.at(-1) as string)
    program = new ServerProgram({
      settings: {
        mode: 'socket',
        command: ['python3', '-c', PYTHON_HTTP_RUNNER],
        directory,
        runDirectory: directory,
        ready: undefined,
        startMilliseconds: 30_000,
        restart: { first: 10, most: 100 },
        fork: {} as never,
      },
      functionName: 'app',
      environment: { PATH: process.env.PATH! },
      directory,
      clock: SYSTEM_CLOCK,
      log: { debug: note, info: note, warn: note, error: note },
      onGroup: () => {},
    })
    await program.start()
    const forwarder = new Forwarder('app', program)
    handler = { fetch: (request, _env, context) => forwarder.fetch(request, context) }
  })
  afterAll(async () => {
    await program?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('gives text, with what the request says', async () => {
    const headers = [['X-B', 'c']] as const
    expect(await throughFunction(handler, { target: '/x?a=b', headers })).toMatchObject({
      status: 200,
      body: 'GET B C ',
    })
    for (const pieces of [['ab', 'cd'], ['x'.repeat(100_000)]]) {
      const { status, body } = await throughFunction(handler, { method: 'POST', pieces })
      expect([status, body]).toEqual([200, `POST - - ${pieces.join('')}`])
    }
  })

  it('gives a map, bytes, or nothing', async () => {
    const map = await throughFunction(handler, { target: '/map' })
    expect([map.status, map.body]).toEqual([201, '{"a": [1]}\n'])
    expect(map.headers).toContainEqual(['content-type', 'application/json'])
    expect(map.headers).toContainEqual(['x-host', 'yes'])
    expect((await throughFunction(handler, { target: '/bytes' })).body).toBe('\x00\x80\xff')
    expect(await throughFunction(handler, { target: '/none' })).toMatchObject({ status: 200, body: '' })
  })

  it('says why it has failed in the log alone', async () => {
    const got = await throughFunction(handler, { target: '/fails' })
    expect([got.status, got.body]).toEqual([500, 'the function failed\n'])
    await vi.waitFor(() => expect(entries.join('\n')).toContain('ValueError: secret'), { timeout: 20_000 })
  })
})
