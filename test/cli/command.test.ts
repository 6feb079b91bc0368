import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadAll, namesOf } from '../../src/cli/line/command.ts'
import { helpFor } from '../../src/cli/line/help.ts'
import { sendCommand } from '../../src/cli/platform/control-socket.ts'
import { TABLE } from '../../src/cli/table.ts'
import { Client } from '../support/client.ts'
import { sample } from '../support/long.ts'
import {
  CONFIG,
  childrenOf,
  environmentOf,
  eventually,
  hotpotato,
  isRunning,
  MAIN,
  makeDirectory,
  Platform,
  type PlatformOptions,
} from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'
import { refused } from '../support/refusal.ts'
import { NO_TERMINAL, Terminal } from '../support/terminal.ts'

/** Two functions, for whatever more of them would show nothing of: each start of a container costs. */
const TWO = `
version: 1
gateway: { defaultFunction: echo }
functions:
  echo: {}
  hello: {}
`
let directory: string
beforeAll(async () => {
  directory = await makeDirectory(TWO)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The commands to try that a platform prints. */
function commandsIn(welcome: string): string[] {
  return welcome.match(/^ {2}(curl|printf)( .*\\\n)* .*$/gm) ?? []
}

/** A command of `hotpotato` as it is written, in that directory. */
async function command(args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: directory,
    env: environmentOf(directory),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

const HAS_IPV6 = Object.values(networkInterfaces()).some(all => all?.some(one => one.address === '::1'))

/** Without it, what is shown for it is not tried. */
const NC = isInstalled('nc', ['-h'])
const NO_NC = missing(NC, 'nc', 'netcat-openbsd')

const mode = (...path: string[]): string => (statSync(join(directory, ...path)).mode & 0o777).toString(8)

describe('up', () => {
  /** What the tests of one group share, in their order. */
  let platform: Platform
  const running: Platform[] = []
  const start = async (options: PlatformOptions = { directory }): Promise<void> => {
    platform = await Platform.start(options)
    running.push(platform)
  }
  afterAll(async () => {
    for (const one of running) await one.end('SIGKILL')
  })

  async function endsInOrder(signal: NodeJS.Signals): Promise<void> {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'echo.local' },
    })
    await client.request('/hello')
    const pids = (await platform.status()).map(({ pid }) => pid!)
    expect(pids).toHaveLength(3)
    expect(await platform.end(signal)).toBe(0)
    expect(pids.filter(isRunning)).toEqual([])
    expect((await client.ended).closeNotify).toBe(true)
    client.socket.destroy()
    expect(existsSync(join(directory, 'run', 'control.sock'))).toBe(false)
  }

  describe('that runs', () => {
    const keys = (): string => join(directory, 'keys.log')
    beforeAll(() => start({ directory, environment: { SSLKEYLOGFILE: keys() } }))

    it('keeps its directory, its socket, its log and the keys to itself', async () => {
      expect(mode('run')).toBe('700')
      expect(mode('run', 'control.sock')).toBe('600')
      expect(mode('run', 'hotpotato.log')).toBe('600')
      for (const name of ['ca', 'echo', 'hello']) expect(mode('certs', `${name}.key`)).toBe('600')
    })

    it('refuses a second one in the same directory, and leaves the first alone', async () => {
      const second = await hotpotato(directory, ['up'])
      expect(second.code).toBe(1)
      expect(second.stderr).toMatch(/^hotpotato is already running in .*: stop it with .*\n$/)
      expect(await platform.status()).toHaveLength(3)
    })

    it('writes keys where SSLKEYLOGFILE says, and nowhere else', async () => {
      const client = await Client.open({
        port: platform.https,
        tls: { ca: platform.ca, serverName: 'echo.local' },
      })
      for (const target of ['/echo', '/hello', '/echo']) await client.request(target)
      client.updateKeys()
      await client.request('/hello')
      await client.close()
      await platform.idle()
      expect((statSync(keys()).mode & 0o777).toString(8)).toBe('600')
      const lines = readFileSync(keys(), 'utf8').trim().split('\n')
      const labels = new Set(lines.map(line => line.split(' ')[0]))
      expect([...labels]).toEqual(
        expect.arrayContaining([
          'CLIENT_HANDSHAKE_TRAFFIC_SECRET',
          'SERVER_HANDSHAKE_TRAFFIC_SECRET',
          'CLIENT_TRAFFIC_SECRET_0',
          'SERVER_TRAFFIC_SECRET_0',
          'EXPORTER_SECRET',
        ]),
      )
      const { log } = platform
      for (const line of lines) {
        const secret = line.split(' ')[2]!
        expect(secret).toMatch(/^[0-9a-f]{64,96}$/)
        expect(log).not.toContain(secret)
        expect(log).not.toContain(Buffer.from(secret, 'hex').toString('base64'))
      }
      for (const name of ['ca', 'echo']) {
        const middle = readFileSync(join(directory, 'certs', `${name}.key`), 'utf8').split('\n')[1]!
        expect(log).not.toContain(middle)
      }
    })

    it('SIGINT ends everything, in order', () => endsInOrder('SIGINT'))
  })

  describe('after one that was killed', () => {
    it('starts over a socket that a killed one has left behind', async () => {
      await start()
      await platform.end('SIGKILL')
      expect(existsSync(join(directory, 'run', 'control.sock'))).toBe(true)
      await start()
      expect(await platform.status()).toHaveLength(3)
    })

    it('stop ends it, too; then nothing runs', async () => {
      const pids = (await platform.status()).map(({ pid }) => pid!)
      expect(await hotpotato(directory, ['stop'])).toMatchObject({ code: 0, stdout: 'stopped\n' })
      await eventually(
        () => ([...pids, platform.child.pid!].some(isRunning) ? undefined : true),
        'it still runs',
      )
      expect(await hotpotato(directory, ['stop'])).toMatchObject({
        code: 0,
        stdout: 'hotpotato is not running\n',
      })
      expect(await hotpotato(directory, ['status'])).toMatchObject({ code: 1 })
    })
  })

  describe('twice', () => {
    it('of two that are started at once, one runs', async () => {
      const starting = [1, 2].map(() => Platform.start({ directory }))
      const results = await Promise.allSettled(starting)
      const up = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
      running.push(...up)
      expect(up).toHaveLength(1)
      platform = up[0]!
      const refused = results.find(result => result.status === 'rejected')
      expect(String(refused?.reason)).toContain('hotpotato is already running')
      expect(await platform.status()).toHaveLength(3)
    })

    it('SIGTERM ends everything, in order', () => endsInOrder('SIGTERM'))
  })

  it(`prints commands that work as they stand${NO_NC}`, async () => {
    await start({
      config: CONFIG.replace('[echo.local,', '[echo.local, echo.localhost,'),
    })
    const { welcome, http, https } = platform
    const commands = commandsIn(welcome)
    expect(commands).toHaveLength(3)
    // curl knows where that is.
    expect(commands[0]).toContain(`ca.crt https://echo.localhost:${https}/echo `)
    expect(commands.flatMap(one => one.split('\n')).filter(line => line.length > 110)).toEqual([])
    expect(welcome).toContain(`  browser http://localhost:${http}/\n`)
    const [curl, openssl, nc] = await Promise.all(
      commands.map(command => run('sh', ['-c', command.trim()]).then(({ stdout }) => stdout.toString())),
    )
    const path = (text = '') => text.match(/x-hotpotato-container: \S+/g)?.map(one => one.split(' ')[1])
    expect(path(curl)).toEqual(['echo-1', 'hello-1', 'echo-1'])
    expect(path(openssl)).toEqual(['echo-1', 'hello-1'])
    if (NC) expect(path(nc)).toEqual(['echo-raw-1'])
    await platform.stop()
  })

  it.runIf(HAS_IPV6)(`prints such commands over IPv6, and for functions of any name${NO_NC}`, async () => {
    const greet = 'greet: { handler: hello, hosts: ["*.greet.example", greet.example] }'
    const config = `functions:\n  ${greet}\n  say: { handler: echo-raw, hosts: [say.example], replicas: 2 }\n`
    const certificates = ['greet', 'say'].map(name => ({ name, hosts: [`${name}.example`] }))
    const environment = { HOTPOTATO_HOST: '::1' }
    await start({ config, certificates, environment })
    const { welcome, https } = platform
    expect(welcome).toContain(`https   [::1]:${https}\n`)
    expect(welcome).toContain('say (say.example, 2 processes)')
    const commands = commandsIn(welcome)
    expect(commands).toHaveLength(3)
    const answers = await Promise.all(commands.map(one => run('sh', ['-c', one.trim()])))
    const [curl, openssl, nc] = answers.map(({ stdout }) => stdout.toString())
    const path = (said = '') => said.match(/(?<=x-hotpotato-container: )[a-z]+/g)
    expect(path(curl)).toEqual(['greet', 'say', 'greet'])
    expect(path(openssl)).toEqual(['greet', 'say'])
    if (NC) expect(path(nc)).toEqual(['greet'])
    await platform.stop()
  })

  it.skipIf(NO_TERMINAL)(`ends with the terminal that it was started from${NO_TERMINAL}`, async () => {
    const terminal = await Terminal.open(directory, environmentOf(directory))
    // This shell outlives the terminal, and says how that ended.
    const line = `"${process.execPath}" "${MAIN}" up; echo $? > ended`
    terminal.type(`sh -c 'trap "" HUP; ${line}'`)
    await terminal.until(/Ctrl-C or/)
    const answer = await sendCommand(join(directory, 'run', 'control.sock'), 'status')
    const { pid } = answer as { readonly pid: number }
    await terminal.close()
    await eventually(() => (isRunning(pid) ? undefined : true), 'it still runs')
    expect(existsSync(join(directory, 'run', 'control.sock'))).toBe(false)
    // Node aborts at its end if it cannot give a terminal its settings back.
    const ended = join(directory, 'ended')
    await eventually(
      () => (existsSync(ended) && readFileSync(ended, 'utf8')) || undefined,
      'it has not ended',
    )
    expect(readFileSync(ended, 'utf8')).toBe('0\n')
  })

  it('leaves no process behind when it is killed while it starts', async () => {
    for (const members of sample([2, 1, 3], 1)) {
      const child = spawn(process.execPath, [MAIN, 'up', '--config', join(directory, 'hotpotato.yml')], {
        env: environmentOf(directory),
        stdio: 'ignore',
      })
      const found = await eventually(() => {
        const pids = childrenOf(child.pid!)
        return pids.length >= members ? pids : undefined
      }, 'it starts no process')
      child.kill('SIGKILL')
      await eventually(
        () => (found.some(isRunning) ? undefined : true),
        `one of ${members} stays behind`,
      ).finally(() => {
        for (const pid of found.filter(isRunning)) process.kill(pid, 'SIGKILL')
      })
    }
  })
})

describe('up, when something is wrong', () => {
  it('names the port that is in use, and how to choose another', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    for (const variable of ['HOTPOTATO_HTTP_PORT', 'HOTPOTATO_HTTPS_PORT']) {
      const { code, stdout, stderr } = await hotpotato(directory, ['up'], { [variable]: String(port) })
      expect(code).toBe(1)
      const lines = (stdout + stderr).split('\n').filter(line => line.includes('port'))
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain(`port ${port} is in use`)
      expect(lines[0]).toContain(`${variable}=PORT`)
    }
    server.close()
    expect(existsSync(join(directory, 'run', 'control.sock'))).toBe(false)
  })

  it('refuses a run directory that others can look into', async () => {
    const open = await makeDirectory(TWO, [])
    const runs = join(open, 'run')
    mkdirSync(runs)
    chmodSync(runs, 0o755)
    const { code, stderr } = await hotpotato(open, ['up'])
    expect(code).toBe(1)
    expect(stderr).toContain('must be accessible to you alone: chmod 700 it')
    rmSync(open, { recursive: true })
  })

  it('names a certificate that is broken or of the wrong key, and leaves it alone', async () => {
    const broken = await makeDirectory(TWO)
    const file = join(broken, 'certs', 'echo.crt')
    const good = readFileSync(file)
    writeFileSync(file, 'not a certificate')
    const first = await hotpotato(broken, ['up'])
    expect(first.code).toBe(1)
    expect(first.stderr).toContain('echo.crt')
    expect(first.stderr).toContain('hotpotato did not make it and leaves it alone: put one there')
    writeFileSync(file, good)
    writeFileSync(join(broken, 'certs', 'echo.key'), readFileSync(join(broken, 'certs', 'hello.key')))
    const second = await hotpotato(broken, ['up'])
    expect(second.code).toBe(1)
    expect(second.stderr).toContain('echo.key')
    rmSync(broken, { recursive: true })
  })

  it('names a function that cannot be loaded', async () => {
    const bad = await makeDirectory('version: 1\nfunctions:\n  echo: { handler: ./missing.mjs }\n')
    const { code, stdout, stderr } = await hotpotato(bad, ['up'])
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    const place = `${join(bad, 'hotpotato.yml')}:3:20: functions.echo.handler: `
    expect(stderr).toMatch(new RegExp(`^${place}.*missing\\.mjs does not exist: [^\n]*\n$`))
    writeFileSync(join(bad, 'missing.mjs'), 'export default {')
    const broken = await hotpotato(bad, ['up'])
    expect(broken.code).toBe(1)
    expect(broken.stderr).toMatch(/echo-1 cannot start: .*missing\.mjs cannot be loaded: .*\.mjs:1\)\n/)
    expect(broken.stderr).toMatch(/^no function can start\n/m)
    rmSync(bad, { recursive: true })
  })

  it('names what it does not understand in its configuration and its environment', async () => {
    const { code, stderr } = await hotpotato(directory, ['up'], { HOTPOTATO_HTTP_PORT: 'eighty' })
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: 'HOTPOTATO_HTTP_PORT must be a whole number from 0 to 65535, not "eighty"\n',
    })
    const road = await hotpotato(directory, ['up', '--carrier', 'pigeon'])
    expect(road).toMatchObject({ code: 2, stderr: '--carrier must be one of fd, relay, not pigeon\n' })
    const other = await hotpotato(directory, ['up'], { HOTPOTATO_PROVIDER: 'magic' })
    expect(other).toMatchObject({
      code: 3,
      stderr: 'HOTPOTATO_PROVIDER must be node, noble or evp, not magic\n',
    })
    const chatty = await hotpotato(directory, ['up'], { HOTPOTATO_LOG_LEVEL: 'chatty' })
    expect(chatty).toMatchObject({
      code: 3,
      stderr: 'HOTPOTATO_LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent, not chatty\n',
    })
    const channel = await hotpotato(directory, ['up'], { HOTPOTATO_CHANNEL: 'pigeon' })
    expect(channel).toMatchObject({
      code: 3,
      stderr: 'HOTPOTATO_CHANNEL must be native or ipc, not pigeon\n',
    })
    const stream = await hotpotato(directory, ['up'], { HOTPOTATO_STREAM: 'cooked' })
    expect(stream).toMatchObject({ code: 3, stderr: 'HOTPOTATO_STREAM must be raw or socket, not cooked\n' })
  })

  it('prints how it is used', async () => {
    expect(await hotpotato(directory, [])).toMatchObject({ code: 2 })
    const asked = await hotpotato(directory, ['--help'])
    expect(asked).toMatchObject({ code: 0, stderr: '' })
    expect(asked.stdout).toMatch(/^usage: hotpotato COMMAND/)
    for (const name of namesOf(TABLE)) expect(asked.stdout).toMatch(new RegExp(`^  ${name}  +\\S`, 'm'))
    for (const word of ['-h', 'help'])
      expect(await hotpotato(directory, [word])).toMatchObject({ code: 0, stdout: asked.stdout })
  })

  it.each(sample(['connect', 'status'], 1))('prints how %s is used, however it is asked', async name => {
    const ways = [`${name} -h`, `help ${name}`, `--help ${name}`, `--json ${name} --help`]
    const [answer, ...others] = await Promise.all(ways.map(line => command(line.split(' '))))
    for (const other of others) expect(other).toEqual(answer)
    expect(answer).toMatchObject({ code: 0, stderr: '' })
    expect(answer!.stdout).toMatch(new RegExp(`^usage: hotpotato ${name} `))
  })

  it('prints no line of more than 110 columns', async () => {
    const { stdout } = await command(['--help'])
    const every = (await loadAll(TABLE)).flatMap(({ commands }) => commands)
    const missing = ['move', 'scale', 'up --carrier x']
    const answers = await Promise.all(missing.map(line => command(line.split(' '))))
    const printed = [stdout, ...every.map(helpFor), ...answers.map(({ stderr }) => stderr)]
    expect(printed.flatMap(text => text.split('\n')).filter(line => line.length > 110)).toEqual([])
  })

  it('tells of every command what it is called', async () => {
    const every = (await loadAll(TABLE)).flatMap(({ commands }) => commands)
    expect(every.map(({ name }) => name)).toEqual(namesOf(TABLE))
    expect(every.filter(({ summary }) => summary.length > 80).map(({ name }) => name)).toEqual([])
    for (const one of every) {
      const help = helpFor(one)
      expect(help).toMatch(new RegExp(`^usage: hotpotato ${one.name}( |\n)`))
      expect(help).toMatch(new RegExp(`^examples\n  .*hotpotato ${one.name}`, 'm'))
    }
  })

  it('prints its version, and that of Node', async () => {
    const { version } = JSON.parse(readFileSync(resolve(MAIN, '../../../../package.json'), 'utf8'))
    for (const word of sample(['--version', '-V', 'version', 'connect --version'], 2))
      expect(await hotpotato(directory, word.split(' '))).toMatchObject({
        code: 0,
        stdout: `hotpotato ${version} (Node ${process.versions.node})\n`,
      })
  })

  it.each([
    ['drain', 2, 'drain needs the names'],
    ['inspect no-such-file', 1, 'no-such-file cannot be read (ENOENT)'],
    ['deploy echo', 1, 'hotpotato is not running'],
    ['status --config no-such.yml', 3, 'no-such.yml cannot be read (ENOENT)'],
    ['certs --config no-such.yml', 3, 'no-such.yml cannot be read (ENOENT)'],
    ['serve --cert no-such --key no-such', 1, '--cert no-such: cannot be read (ENOENT)'],
    ['connect 127.0.0.1:1', 1, 'cannot connect to 127.0.0.1 port 1'],
  ])('%j ends with status %i, one for each kind of mistake', async (line, code, message) => {
    const answer = await command(line.split(' '))
    expect(answer).toMatchObject({ code, stdout: '' })
    expect(answer.stderr).toContain(message)
    expect(answer.stderr.trimEnd()).not.toContain('\n')
  })

  it.each([
    ['deploy', 'deploy needs the name of a function'],
    ['scale echo many', 'a number from 0 to 64; "many" does not fit'],
    ['move xyz echo-1', 'by name; "xyz" does not fit'],
    ['restart echo', 'restart needs the word gateway'],
    ['verify - --as poem', '--as must be one of'],
    ['inspect', 'inspect needs a FILE'],
    ['certs --algorithm dsa', '--algorithm must be one of'],
    ['serve --port many', '--port must be a whole number'],
    ['connect nowhere', 'connect needs HOST:PORT'],
    ['stress nowhere', 'nowhere is not an http or https URL'],
  ])('%j makes no sense, and one line says why', async (line, message) => {
    const { code, stdout, stderr } = await refused(line.split(' '))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr.trimEnd()).not.toContain('\n')
  })

  it.each([
    ['--nonsense', 'unknown option --nonsense; see hotpotato --help'],
    ['status --jsn', 'unknown option --jsn; did you mean --json?'],
    ['up --carier fd', 'unknown option --carier; did you mean --carrier?'],
    ['deploi echo', 'unknown command deploi; did you mean deploy?'],
    ['strss', 'unknown command strss; did you mean stress?'],
    ['help statsu', 'unknown command statsu; did you mean status?'],
    ['up --carrier --duplicate', "Option '--carrier' argument is ambiguous; see hotpotato up --help"],
    ['start', 'unknown command start; hotpotato --help lists all commands'],
    ['constructor', 'unknown command constructor; hotpotato --help lists all commands'],
    ['status --secrets', 'unknown option --secrets; see hotpotato status --help'],
    ['stop echo', 'stop takes no names, and echo is one too many'],
    ['deploy hello echo', 'deploy takes one name, and echo is one too many'],
    ['scale echo 2 3', 'scale takes 2 names, and 3 is one too many'],
  ])('refuses %j in one line', async (line, message) => {
    expect(await refused(line.split(' '))).toEqual({ code: 2, stdout: '', stderr: `${message}\n` })
  })
})
