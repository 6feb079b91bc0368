import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { makeRunDirectory } from '../../src/cli/platform/run-directory.ts'
import { environmentOf, eventually, hotpotato, MAIN, makeDirectory, Platform } from '../support/platform.ts'

const ROOT = process.getuid?.() === 0
const CONFIG = 'functions: { echo: {} }\n'

let directory: string
beforeAll(async () => {
  directory = await makeDirectory(CONFIG, [{ name: 'echo', hosts: ['echo.local'] }])
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What is below a directory, by path. */
const below = (path: string): string[] => (readdirSync(path, { recursive: true }) as string[]).sort()

/** A file system with room for so much, mounted in the directory. */
function withDisk<T>(options: string, use: (disk: string) => Promise<T>): Promise<T> {
  const disk = mkdtempSync(join(directory, 'disk-'))
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', disk])
  if (status !== 0) throw new Error(`mount: ${stderr}`)
  return use(disk).finally(() => spawnSync('umount', [disk]))
}

/** That `up` ends with one line, and leaves nothing behind. */
async function refuses(environment: Record<string, string>, line: RegExp): Promise<void> {
  const before = below(directory)
  const { code, stdout, stderr } = await hotpotato(directory, ['up'], environment)
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(line)])
  expect([code, stdout]).toEqual([1, ''])
  expect(below(directory)).toEqual(before)
}

/** That no run directory can be there, for such a reason, and that nothing is left behind. */
function unusable(path: string, why: RegExp): void {
  const before = below(directory)
  expect(() => makeRunDirectory(path)).toThrow(why)
  expect(() => makeRunDirectory(path)).toThrow(/^[^\n]*$/)
  expect(below(directory)).toEqual(before)
}

describe('a run directory that is of no use is refused, and nothing is made:', () => {
  it.each([
    ['a file', '/etc/passwd', /cannot be used: it is not a directory/],
    ['below a file', '/etc/passwd/run', /cannot be used: ENOTDIR/],
    ['in /proc', '/proc/x/y', /cannot be used: ENOENT/],
    ['a name that is too long', `/tmp/${'d'.repeat(300)}`, /cannot be used: ENAMETOOLONG/],
  ])('%s', (_, path, why) => unusable(path, why))

  it('a link that leads nowhere, or to itself', () => {
    symlinkSync('nowhere', join(directory, 'nowhere-link'))
    symlinkSync('circle', join(directory, 'circle'))
    unusable(join(directory, 'nowhere-link'), /cannot be used: EEXIST/)
    unusable(join(directory, 'circle', 'run'), /cannot be used: ELOOP/)
  })

  it.skipIf(!ROOT)('a link that another user has made (needs root)', () => {
    const [own, link] = [join(directory, 'own'), join(directory, 'foreign')]
    mkdirSync(own, { mode: 0o700 })
    symlinkSync(own, link)
    lchownSync(link, 65_534, 65_534)
    unusable(link, /cannot be used: it is a symbolic link of another user/)
  })

  it.skipIf(!ROOT)('one that another user has made (needs root)', () => {
    const path = join(directory, 'foreign-run')
    mkdirSync(path, { mode: 0o700 })
    chownSync(path, 65_534, 65_534)
    unusable(path, /cannot be used: it belongs to another user \(65534\); choose another HOTPOTATO_RUN_DIR/)
  })

  it('one that others can enter', () => {
    const path = join(directory, 'open')
    mkdirSync(path)
    chmodSync(path, 0o755)
    unusable(path, /must be accessible to you alone: chmod 700/)
  })

  it.skipIf(ROOT)('one that may not be written (does not need root, nor work with it)', () => {
    const path = join(directory, 'closed')
    mkdirSync(path, { mode: 0o500 })
    unusable(path, /cannot be used: EACCES/)
    unusable(join(path, 'run'), /cannot be used: EACCES/)
  })

  it.skipIf(!ROOT)('on a disk that cannot be written (needs root, for a tmpfs)', async () => {
    await withDisk('ro', async disk => {
      unusable(join(disk, 'a'), /used: EROFS/)
      unusable(disk, /used: EROFS/)
    })
    await withDisk('nr_inodes=2', async disk => unusable(join(disk, 'a', 'b'), /used: ENOSPC/))
  })

  it('by "up" in one line', async () => {
    await refuses({ HOTPOTATO_RUN_DIR: '/proc/x/y' }, /cannot be used: ENOENT/)
  })

  it.skipIf(!ROOT)('by "up" when its socket has no room (needs root, for a tmpfs)', async () => {
    await withDisk('nr_inodes=3', disk =>
      refuses({ HOTPOTATO_RUN_DIR: join(disk, 'a') }, /used: ENOSPC.*mkdir/),
    )
  })
})

describe('certificates that cannot be written are refused in one line:', () => {
  it('in /proc', async () => {
    const { code, stderr } = await hotpotato(directory, ['up'], { HOTPOTATO_CERTS_DIR: '/proc/x' })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^\/proc\/x cannot be written \(ENOENT\)[^\n]*\n$/),
    ])
  })

  it.skipIf(!ROOT)('on a disk that is full, or cannot be written (needs root, for a tmpfs)', async () => {
    await withDisk('size=64k', async disk => {
      const fill = join(disk, 'fill')
      expect(() => writeFileSync(fill, new Uint8Array(1_000_000))).toThrow(/ENOSPC/)
      const certs = join(disk, 'certs')
      const { code, stderr } = await hotpotato(directory, ['up'], { HOTPOTATO_CERTS_DIR: certs })
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/^\S+ca\.key cannot be written \(ENOSPC\)[^\n]*\n$/),
      ])
      // Nothing half, so that it goes on where there is room.
      expect(below(certs)).toEqual([])
      rmSync(fill)
      await makeCertificates({
        directory: certs,
        certificates: [{ name: 'echo', hosts: [] }],
        now: Date.now(),
      })
    })
  })
})

describe('a disk that is full (needs root, for a tmpfs)', () => {
  it.skipIf(!ROOT)('leaves nothing half of a function or a secret, and the next try goes well', () =>
    withDisk('size=64k', async disk => {
      const fill = join(disk, 'fill')
      const command = (line: string) =>
        spawnSync(process.execPath, [MAIN, ...line.split(' ')], {
          cwd: disk,
          env: environmentOf(directory),
          input: 'x'.repeat(9000),
          encoding: 'utf8',
        })
      const tries: readonly (readonly [line: string, room: number, message: RegExp])[] = [
        ['new greet', 0, /^greet cannot be made \(ENOSPC\)\n$/],
        // For the folder, and not for the stack file.
        ['new greet', 8192, /^hotpotato\.yml cannot be written \(ENOSPC\)\n$/],
        ['secret create word', 0, /^the secret word cannot be kept in \S+secrets \(ENOSPC\)\n$/],
        ['secret create word', 8192, /^the secret word cannot be kept in \S+secrets \(ENOSPC\)\n$/],
      ]
      for (const [line, room, message] of tries) {
        expect(() => writeFileSync(fill, new Uint8Array(1_000_000))).toThrow(/ENOSPC/)
        truncateSync(fill, 65_536 - room)
        const { status, stderr } = command(line)
        expect([status, stderr], line).toEqual([1, expect.stringMatching(message)])
        expect(
          below(disk).filter(name => !/^(fill|secrets(\/\.gitignore)?)$/.test(name)),
          line,
        ).toEqual([])
        rmSync(fill)
      }
      expect(command('secret create word').status).toBe(0)
      expect(readFileSync(join(disk, 'secrets', '.gitignore'), 'utf8')).toBe('*\n')
      expect(command('new greet').status).toBe(0)
    }),
  )
})

describe('a run directory', () => {
  let platform: Platform | undefined
  afterEach(async () => {
    await platform?.end('SIGKILL')
    platform = undefined
  })

  it('may have a name that is too long for a socket', async () => {
    const run = join(directory, 'd'.repeat(200), 'e'.repeat(200))
    const environment = { HOTPOTATO_RUN_DIR: run }
    platform = await Platform.start({ directory, environment })
    expect(statSync(run).mode & 0o777).toBe(0o700)
    expect(statSync(join(run, 'control.sock')).mode & 0o777).toBe(0o600)
    const status = await hotpotato(directory, ['status'], environment)
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining('echo-1')])
    const second = await hotpotato(directory, ['up'], environment)
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringMatching(/^hotpotato is already running in [^\n]*\n$/),
    ])
    expect(await hotpotato(directory, ['stop'], environment)).toMatchObject({ code: 0, stdout: 'stopped\n' })
    await eventually(() => platform!.child.exitCode ?? undefined, 'it still runs')
    expect(existsSync(join(run, 'control.sock'))).toBe(false)
    expect(await hotpotato(directory, ['status'], environment)).toMatchObject({ code: 1, stderr: '' })
  })

  it('may vanish while it is used: what runs goes on, and ends in order', async () => {
    platform = await Platform.start({ directory })
    const before = await platform.member('echo-1')
    rmSync(join(directory, 'run'), { recursive: true })
    // The log is looked at once a second at most, when there is a line to write.
    await new Promise(resolve => setTimeout(resolve, 1100))
    process.kill(before.pid!, 'SIGKILL')
    await eventually(
      () => (platform!.welcome.includes('cannot be written (ENOENT)') ? true : undefined),
      'it does not say that the log is gone',
    )
    expect((await hotpotato(directory, ['status'])).stdout).toContain('hotpotato is not running')
    expect(await platform.end('SIGTERM')).toBe(0)
    platform = undefined
  })

  it('may become a file while it is used: what runs ends in order', async () => {
    const run = join(directory, 'replaced')
    const platform = await Platform.start({ directory, environment: { HOTPOTATO_RUN_DIR: run } })
    // Something may be written there while it is removed.
    await eventually(() => {
      try {
        rmSync(run, { recursive: true, force: true })
        writeFileSync(run, '')
        return true
      } catch {
        return undefined
      }
    }, 'it is made again and again')
    try {
      expect(await platform.end('SIGTERM')).toBe(0)
    } finally {
      await platform.end('SIGKILL')
    }
  })

  it.skipIf(!ROOT)('may become read-only while it is used (needs root, for a tmpfs)', () =>
    withDisk('size=1m', async disk => {
      // An open log would keep it writable.
      symlinkSync('/dev/null', join(disk, 'hotpotato.log'))
      const platform = await Platform.start({ directory, environment: { HOTPOTATO_RUN_DIR: disk } })
      try {
        expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
        const { code, stdout } = await hotpotato(directory, ['stop'], { HOTPOTATO_RUN_DIR: disk })
        expect([code, stdout]).toEqual([0, 'stopped\n'])
        expect(await platform.end('SIGTERM')).toBe(0)
      } finally {
        await platform.end('SIGKILL')
      }
    }),
  )
})

describe('a reader that closes standard output', () => {
  /** Runs a line of bash in which `hotpotato` is the command. */
  const bash = (line: string) => {
    const { stdout, stderr } = spawnSync(
      'bash',
      ['-c', `hotpotato() { '${process.execPath}' '${MAIN}' "$@"; }\n${line}`],
      {
        cwd: directory,
        env: environmentOf(directory),
        encoding: 'utf8',
      },
    )
    return { stdout, stderr }
  }
  const envelope = join(tmpdir(), `hotpotato-inspected-${process.pid}`)
  beforeAll(() => writeFileSync(envelope, '00'.repeat(50_000)))
  afterAll(() => rmSync(envelope))

  it.each([
    ['connect --help', 0],
    [`inspect ${envelope} --as sealed`, 0],
    ['status', 1],
  ])('ends "%s" quietly, with the status that it has anyway', (command, status) => {
    expect(bash(`hotpotato ${command} | true; echo "\${PIPESTATUS[0]}"`)).toEqual({
      stdout: `${status}\n`,
      stderr: '',
    })
  })

  it.each(['serve --help', 'status', 'logs'])(
    'and one that is full ends "%s" with status 1 and one line',
    command => {
      expect(bash(`hotpotato ${command} > /dev/full; echo $?`)).toEqual({
        stdout: '1\n',
        stderr: 'hotpotato: standard output cannot be written (ENOSPC)\n',
      })
    },
  )

  it('cannot be told from /dev/null where it is closed from the beginning', () => {
    expect(bash('hotpotato help >&-; hotpotato status >&-; echo $? >&2')).toEqual({
      stdout: '',
      stderr: '1\n',
    })
  })

  it('ends a connection from which it wants no more, and no server', async () => {
    const certs = join(directory, 'certs')
    const args = ['serve', '--port', '0', '--cert', join(certs, 'echo.crt'), '--key', join(certs, 'echo.key')]
    const server = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let complaint = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    try {
      const [said] = (await once(server.stdout, 'data')) as [Buffer]
      const port = /:(\d+)\//.exec(said.toString())![1]
      // From now on the test does not read what the server says of its connections.
      server.stdout.destroy()
      const ask = `printf 'GET /bytes/10000000 HTTP/1.0\\r\\n\\r\\n'`
      const open = `hotpotato connect localhost:${port} --ca '${join(certs, 'ca.crt')}' --quiet`
      expect(bash(`${ask} | ${open} | head -c 5; echo " \${PIPESTATUS[1]}"`)).toEqual({
        stdout: 'HTTP/ 0\n',
        stderr: '',
      })
      expect(bash(`${ask} | ${open} > /dev/full; echo $?`)).toEqual({
        stdout: '1\n',
        stderr: 'hotpotato: standard output cannot be written (ENOSPC)\n',
      })
      expect(bash(`${open} < /dev/null; echo $?`).stdout).toBe('0\n')
      expect([server.exitCode, complaint]).toEqual([null, ''])
    } finally {
      server.kill()
    }
  })

  it('or that only looks on costs a server no memory: lines are dropped, and counted', async () => {
    const module = new URL('../../dist/src/cli/terminal/output.js', import.meta.url).href
    const program = `
      const { note } = await import(${JSON.stringify(module)})
      for (let count = 0; count < 20_000; count++) note('x'.repeat(99))
      // Once all is read there is room again.
      process.on('message', function last() {
        if (process.stdout.writableLength > 0) return setImmediate(last)
        note('last')
        process.disconnect()
      })
      process.send(process.stdout.writableLength)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    const [waiting] = (await once(child, 'message')) as [number]
    expect(waiting).toBeLessThan(300_000)
    let said = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    await eventually(() => (said.length >= waiting ? true : undefined), 'it does not come')
    child.send('go on')
    await once(child, 'close')
    const dropped = Number(/\((\d+) lines were dropped\)\nlast\n$/.exec(said)?.[1])
    expect(said.match(/^x+$/gm)!.length + dropped).toBe(20_000)
    expect(dropped).toBeGreaterThan(10_000)
  })

  it('does not end the platform', async () => {
    const child = spawn(process.execPath, [MAIN, 'up', '--config', join(directory, 'hotpotato.yml')], {
      env: environmentOf(directory),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    child.stderr.destroy()
    await eventually(async () => {
      const { stdout } = await hotpotato(directory, ['status', '--json'])
      return stdout.includes('"ready":true') ? true : undefined
    }, 'it does not come up')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('an environment', () => {
  it('may be empty: no HOME, no PATH, no locale', async () => {
    const env = { HOTPOTATO_RUN_DIR: join(directory, 'run-bare') }
    const bare = (...args: string[]) =>
      spawnSync(process.execPath, [MAIN, ...args, '--config', join(directory, 'hotpotato.yml')], {
        env,
        encoding: 'utf8',
      })
    expect(bare('status')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(
        /^hotpotato is not running; start it with .*npx --no hotpotato up --config /,
      ),
      stderr: '',
    })
    expect(bare('help').status).toBe(0)
  })

  it.skipIf(ROOT)('may have a configuration that may not be read', async () => {
    const file = join(directory, 'secret.yml')
    writeFileSync(file, CONFIG, { mode: 0o000 })
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'up', '--config', file], {
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([1, `${file} cannot be read (EACCES)\n`])
  })
})
