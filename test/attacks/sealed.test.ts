import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ask, bundleOf, functionOf } from '../support/sealed.ts'

/** What a sealed function that turns against its platform tries: what it got, or why not. */
const TURNED = `
import { execSync } from 'node:child_process'
import fs from 'node:fs'
import inspector from 'node:inspector'
import net from 'node:net'
import os from 'node:os'
import { Worker } from 'node:worker_threads'
const connected = where => new Promise((settle, fail) => net.connect(where, settle).on('error', fail))
const attempts = {
  'the memory of its container': () => fs.openSync('/proc/' + process.ppid + '/mem', 'r'),
  'the environment of its container': () => fs.readFileSync('/proc/' + process.ppid + '/environ'),
  'descriptors of its container': () => fs.readdirSync('/proc/' + process.ppid + '/fd'),
  'keys of certificates': () => fs.readFileSync(TARGET),
  'a file of its own': () => fs.writeFileSync(TARGET + '.copy', 'clear'),
  'a program': () => execSync('id').toString(),
  'a thread': () => new Worker('1', { eval: true }),
  'a native module': () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6'),
  'a Unix socket': () => connected({ path: SOCKET }),
  'an abstract socket': () => connected({ path: '\\0hotpotato' }),
  'a socket of its own': () => new Promise((settle, fail) => {
    net.createServer().listen(SOCKET + '.own', settle).on('error', fail)
  }),
  'a signal to its container': () => process.kill(process.ppid, 0),
  'the inspector of its container': () => process._debugProcess(process.ppid),
  'the priority of its container': () => os.setPriority(process.ppid, 19),
  'an inspector': () => inspector.open(0),
  'a package of the platform': () => import('koffi').then(() => 'loaded', error => { throw error }),
}
export default async request => {
  const said = {}
  const { env, argv } = process
  for (const [what, attempt] of Object.entries(attempts)) {
    try { said[what] = 'got ' + String(await attempt()).slice(0, 40) }
    catch (error) { said[what] = error.code ?? error.message }
  }
  return Response.json({ said, env: Object.keys(env), argv: argv.length, key: [...request.headers.keys()] })
}
`

const folder = mkdtempSync(join(tmpdir(), 'hotpotato-turned-'))
const target = join(folder, 'echo.key')
writeFileSync(target, 'a private key')

/** As the platform's control socket is one. */
const sockets = mkdtempSync(join(tmpdir(), 'hotpotato-sockets-'))
const socket = join(sockets, 'control.sock')
const server = createServer().listen(socket)

afterAll(() => {
  server.close()
  for (const one of [folder, sockets]) rmSync(one, { recursive: true })
})

describe('a sealed function that turns against its platform', () => {
  it('gets nothing of its container, of the disk, and no program', async () => {
    const module = functionOf(
      bundleOf(
        TURNED.replaceAll('TARGET', JSON.stringify(target)).replaceAll('SOCKET', JSON.stringify(socket)),
      ),
    )
    const { said, env, key } = (await (await ask(module)).json()) as {
      said: Record<string, string>
      env: string[]
      key: string[]
    }
    module.stop()
    for (const [what, outcome] of Object.entries(said))
      expect([what, outcome.startsWith('got')]).toEqual([what, false])
    expect(Object.keys(said).length).toBe(16)
    expect([env.sort(), key]).toEqual([['GREETING', 'NODE_ENV'], ['x-call-id']])
    expect(readdirSync(folder)).toEqual(['echo.key'])
    expect(readFileSync(target, 'utf8')).toBe('a private key')
  })

  it('that says rubbish to its container ends itself alone', async () => {
    const rubbish = "import fs from 'node:fs'\nexport default () => { fs.writeSync(3, 'rubbish'.repeat(9)) }"
    const module = functionOf(bundleOf(rubbish))
    await expect(ask(module)).rejects.toThrow('the worker of the sealed function is gone')
    const fine = functionOf(bundleOf("export default () => new Response('fine')"))
    expect(await (await ask(fine)).text()).toBe('fine')
    module.stop()
    fine.stop()
  })

  it('that never lets go is ended when its client is gone', async () => {
    const module = functionOf(bundleOf('export default () => { for (;;); }'))
    const answer = ask(module)
    setTimeout(() => module.stop(), 1000)
    await expect(answer).rejects.toThrow('is gone')
  })
})
