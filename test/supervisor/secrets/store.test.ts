import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { giveSecrets, SecretMounts } from '../../../src/supervisor/secrets/mounts.ts'
import { SecretStore } from '../../../src/supervisor/secrets/store.ts'
import { utf8 } from '../../../src/wire/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'hotpotato-secrets-test-'))
afterAll(() => rmSync(folder, { recursive: true }))
const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('the store of secrets', () => {
  const directory = join(folder, 'store')
  const store = new SecretStore(directory)

  it('keeps secrets for their owner alone', () => {
    expect(store.list()).toEqual([])
    store.write('token', utf8('one'), false)
    expect([modeOf(directory), modeOf(join(directory, 'token'))]).toEqual([0o700, 0o600])
    expect(readFileSync(join(directory, '.gitignore'), 'utf8')).toBe('*\n')
    expect(store.list()).toEqual([{ name: 'token', bytes: 3 }])
  })

  it('replaces what is there, and nothing by mistake', () => {
    expect(() => store.write('token', utf8('two'), false)).toThrow('is there already')
    expect(() => store.write('other', utf8('two'), true)).toThrow('is not there')
    store.write('token', utf8('two'), true)
    expect(new TextDecoder().decode(store.read('token'))).toBe('two')
    expect(() => store.remove('other')).toThrow('is not there')
    expect(() => store.read('other')).toThrow('hotpotato secret create other')
  })

  it.each(['', '../up', '.hidden', 'a/b', 'a b', 'nul\0', 'x'.repeat(254)])('refuses the name %j', name => {
    expect(() => store.write(name, utf8('x'), false)).toThrow('is no name of a secret')
  })

  it('refuses an empty secret, a huge one, and a directory that others can look into', () => {
    expect(() => store.write('empty', new Uint8Array(0), false)).toThrow('1 to 1048576 bytes')
    expect(() => store.write('huge', new Uint8Array(1_048_577), false)).toThrow('1 to 1048576 bytes')
    chmodSync(directory, 0o755)
    expect(() => store.read('token')).toThrow('chmod 700')
    chmodSync(directory, 0o700)
  })
})

describe('the secrets of a container', () => {
  const store = new SecretStore(join(folder, 'mounted'))
  store.write('token', utf8('s3cret'), false)
  store.write('other', utf8('not for it'), false)
  const mounts = new SecretMounts()

  it('are files in memory, those that its function names alone, and go with it', () => {
    const directory = mounts.mount(7, 'echo-1', { store: join(folder, 'mounted'), names: ['token'] })
    expect(directory).toMatch(/^\/(dev\/shm|run)\b.*\/echo-1-7$/)
    expect([modeOf(directory), modeOf(join(directory, 'token'))]).toEqual([0o700, 0o400])
    expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('s3cret')
    expect(() => statSync(join(directory, 'other'))).toThrow('ENOENT')
    mounts.unmount(7)
    expect(() => statSync(directory)).toThrow('ENOENT')
  })

  const root = process.getuid?.() === 0
  it.skipIf(!root)(
    `that has a user of its own are its to read alone${root ? '' : ' (SKIPPED: no root)'}`,
    () => {
      const directory = mounts.mount(9, 'echo-2', { store: join(folder, 'mounted'), names: ['token'] })
      giveSecrets(directory, 58_123)
      const asUser = (script: string, uid = 58_123): string => {
        const { stdout } = spawnSync('sh', ['-c', script], {
          cwd: directory,
          uid,
          gid: uid,
          encoding: 'utf8',
        })
        return stdout
      }
      expect(asUser('cat token; ls')).toBe('s3crettoken\n')
      for (const script of [
        'chmod 600 token',
        'echo x > token',
        'rm -f token',
        'mv token other',
        'mkdir more',
        'ln -s /etc more',
        'chmod 777 .',
      ])
        expect(asUser(`${script} 2> /dev/null && echo done`), script).toBe('')
      expect(asUser('cat token 2> /dev/null', 58_124)).toBe('')
      mounts.unmount(9)
      expect(() => statSync(directory)).toThrow('ENOENT')
    },
  )

  it('are removed by their names, whatever else its processes have put there', () => {
    const directory = mounts.mount(10, 'echo-3', {
      store: join(folder, 'mounted'),
      names: ['token', 'other'],
    })
    rmSync(join(directory, 'other'), { force: true })
    mkdirSync(join(directory, 'other'))
    writeFileSync(join(directory, 'more'), 'left behind')
    mounts.unmount(10)
    expect([existsSync(join(directory, 'token')), existsSync(join(directory, 'more'))]).toEqual([false, true])
  })

  it('that are not there keep it from starting', () => {
    const spec = { store: join(folder, 'mounted'), names: ['nothing'] }
    expect(() => mounts.mount(8, 'echo-1', spec)).toThrow('the secret nothing is not in')
    mounts.unmount(8)
    mounts.close()
  })
})
