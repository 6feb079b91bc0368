import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environmentOf } from '../support/platform.ts'
import { NO_TERMINAL, Terminal } from '../support/terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'docs/first-function.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block]) => block!)
const COMMANDS = blocks('sh').flatMap(block => block.trim().split('\n'))

describe.skipIf(NO_TERMINAL !== '')(`the page for beginners, typed in a terminal${NO_TERMINAL}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hotpotato-first-'))
  const { HOTPOTATO_RUN_DIR: _, HOTPOTATO_CERTS_DIR: __, ...environment } = environmentOf(folder)
  let platform: Terminal
  let shell: Terminal

  beforeAll(async () => {
    // As what npm pack makes, and npm installs.
    const installed = join(folder, 'node_modules/@hotpotato-tls/hotpotato')
    mkdirSync(installed, { recursive: true })
    for (const name of ['bin', 'templates', 'package.json', 'hotpotato.yml'])
      cpSync(join(ROOT, name), join(installed, name), { recursive: true })
    for (const name of ['dist', 'node_modules']) symlinkSync(join(ROOT, name), join(installed, name))
    // A machine with a shell and Node, and nothing else.
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    symlinkSync(process.execPath, join(bin, 'node'))
    ;[platform, shell] = await Promise.all([open(bin), open(bin)])
  })
  afterAll(async () => {
    await Promise.all([shell, platform].map(one => one?.close()))
    rmSync(folder, { recursive: true, force: true })
  })

  async function open(bin: string): Promise<Terminal> {
    const terminal = await Terminal.open(folder, environment)
    await terminal.run(`PATH=${bin}`)
    // What npx does here, without its second to start.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell fills it in
    await terminal.run('npx() { node "node_modules/@hotpotato-tls/$2/bin/$2.js" "${@:3}"; }')
    return terminal
  }

  it('every command does what the page says', async () => {
    const commands = [...COMMANDS]
    const type = async (beginning: string): Promise<string> => {
      const line = commands.shift()!
      expect(line.startsWith(beginning), `${line} is not ${beginning}`).toBe(true)
      const { status, said } = await shell.run(line)
      expect({ line, status, said }).toEqual({ line, status: 0, said })
      return said
    }
    expect(await type('npx --no hotpotato new greet')).toMatch(/made greet\/ .*\n.*made hotpotato\.yml\n/)
    expect(commands.shift()).toBe('npx --no hotpotato up')
    platform.type('npx --no hotpotato up')
    await platform.until(/Ctrl-C or .* ends everything\./)
    expect(await type('echo ada |')).toContain('{"hello":"ada"}')
    expect(await type('npx --no hotpotato logs')).toMatch(/INFO \(greet-1\): POST \/, 4 characters/)
    writeFileSync(join(folder, 'greet/handler.js'), blocks('js')[0]!)
    expect(await type('npx --no hotpotato deploy')).toMatch(/started greet-2[\s\S]*ended greet-1/)
    expect(await type('echo ada |')).toContain('Hello, ada!\n')
    expect(await type('npx --no hotpotato list')).toMatch(/^greet +1 +1 /m)
    expect(await type('npx --no hotpotato describe')).toMatch(/^urls +https:\/\/greet.local:/m)
    expect(await type('npx --no hotpotato status')).toMatch(/^greet-2 +ready /m)
    expect(await type('npx --no hotpotato down')).toContain('stopped\n')
    expect(commands).toEqual([])
    expect((await platform.prompt()).status).toBe(0)
  })
})
