import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environmentOf, eventually } from '../support/platform.ts'
import { run } from '../support/programs.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** It installs from the registry: `npm run test:packed`. */
const wanted = process.env.HOTPOTATO_PACKED === '1'

describe.skipIf(!wanted)('what npm pack makes, installed in an empty folder', () => {
  let root: string
  let folder: string
  let platform: ChildProcess
  let sizes: readonly number[]
  let said = ''
  /** Nothing of it comes from this checkout: neither a directory nor a configuration. */
  const { HOTPOTATO_RUN_DIR: _, HOTPOTATO_CERTS_DIR: __, ...environment } = environmentOf('/nowhere')

  const npx = (...args: string[]) =>
    run('npx', ['--no-install', 'hotpotato', ...args], '', { cwd: folder, env: environment })

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'hotpotato-packed-'))
    folder = join(root, 'empty')
    mkdirSync(folder)
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', root], '', {
      cwd: ROOT,
    })
    expect(packed.code, packed.stderr).toBe(0)
    const [about] = JSON.parse(packed.stdout.toString()) as { size: number; unpackedSize: number }[]
    sizes = [about!.size, about!.unpackedSize]
    const tarball = readdirSync(root).find(name => name.endsWith('.tgz'))!
    const options = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
    const installed = await run('npm', ['install', ...options, join(root, tarball)], '', {
      cwd: folder,
      patience: 500_000,
    })
    expect(installed.code, installed.stderr).toBe(0)
    expect(installed.stderr).not.toMatch(/EBADENGINE|ERESOLVE/)
    platform = spawn('npx', ['--no-install', 'hotpotato', 'up'], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [platform.stdout!, platform.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    await eventually(() => (said.includes('Ctrl-C') ? true : undefined), 'it does not start')
  }, 600_000)
  afterAll(async () => {
    platform?.kill('SIGTERM')
    rmSync(root, { recursive: true, force: true })
  })

  it('is as large as its page says, to a tenth', () => {
    const page = readFileSync(join(ROOT, 'docs/packages.md'), 'utf8')
    const said = /makes ([\d.]+) MB, unpacked ([\d.]+) MB/.exec(page)!.slice(1).map(Number)
    for (const [at, megabytes] of said.entries()) {
      const real = sizes[at]! / 1e6
      expect(Math.abs(real - megabytes) / real, `${real} MB`).toBeLessThan(0.1)
    }
  })

  it('starts without a compiler, by the configuration that comes with it', async () => {
    expect(existsSync(join(folder, 'node_modules', 'typescript'))).toBe(false)
    expect(said).toContain('note: there is no hotpotato.yml here: the one that comes with hotpotato is used')
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['certs', 'run']))
    const { code, stdout } = await npx('status')
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(/^gateway +ready/m)
  })

  it('serves, and is told what to do, by the commands that it prints', async () => {
    const [command] = said.match(/^ {2}curl( .*\\\n)* .*$/m)!
    const { stdout } = await run('sh', ['-c', command.trim()], '', { cwd: folder, env: environment })
    const path = stdout.toString().match(/x-hotpotato-container: \S+/g)
    expect(path?.map(one => one.split(' ')[1])).toEqual(['echo-1', 'resize-1', 'echo-1'])
    expect((await npx('scale', 'hello', '2')).code).toBe(0)
    expect((await npx('certs', '--renew')).stdout.toString()).toContain('what was there before is kept in')
  })

  it('has types that resolve as its code does, as "are the types wrong" sees it', async () => {
    const tools = join(root, 'tools')
    mkdirSync(tools)
    const tool = '@arethetypeswrong/cli@0.18.5'
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--no-save']
    const got = await run('npm', ['install', ...options, tool], '', { cwd: tools, patience: 300_000 })
    expect(got.code, got.stderr).toBe(0)
    const tarball = join(root, readdirSync(root).find(name => name.endsWith('.tgz'))!)
    // All of it is ES modules: what require() makes of them is not asked.
    const words = [
      '--no-install',
      'attw',
      tarball,
      '--profile',
      'esm-only',
      '--format',
      'ascii',
      '--no-color',
    ]
    const { code, stdout } = await run('npx', words, '', { cwd: tools, patience: 120_000 })
    // It ends with another status if there is a problem that the profile does not leave out.
    expect(code, stdout.toString()).toBe(0)
    expect(stdout.toString()).toMatch(/hotpotato\/client"\s+node16 \(from ESM\): 🟢 \(ESM\)/)
  }, 480_000)

  it('ends by the command that it prints', async () => {
    const command = /Ctrl-C or (.*) ends everything/.exec(said)![1]!
    const ended = once(platform, 'exit')
    const { code } = await run('sh', ['-c', command], '', { cwd: folder, env: environment })
    expect(code).toBe(0)
    expect((await ended)[0]).toBe(0)
  })
})
