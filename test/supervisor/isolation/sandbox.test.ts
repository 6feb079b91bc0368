import { describe, expect, it } from 'vitest'
import { bwrap, confined } from '../../../src/supervisor/isolation/sandbox.ts'
import { asUser, taken, Uids } from '../../../src/supervisor/isolation/uids.ts'
import { launch, VIEW } from './launches.ts'

/** The values that follow an option, in order. */
function valuesOf(args: readonly string[], option: string, count: number): string[][] {
  return args.flatMap((arg, at) => (arg === option ? [args.slice(at + 1, at + 1 + count)] : []))
}

describe('the command line of a sandbox', () => {
  const args = bwrap(launch(), VIEW)

  it('has a namespace of each kind, ends with the supervisor and has no rights', () => {
    for (const kind of ['user', 'pid', 'ipc', 'uts', 'net']) expect(args).toContain(`--unshare-${kind}`)
    expect(args).toEqual(expect.arrayContaining(['--die-with-parent', '--new-session']))
    expect(valuesOf(args, '--cap-drop', 1)).toEqual([['ALL']])
    expect(args).not.toContain('--cap-add')
    expect(args).not.toContain('--share-net')
  })

  it('binds nothing that can be written to', () => {
    expect(args.filter(arg => /^--(dev-)?bind/.test(arg))).toEqual([])
    const bound = valuesOf(args, '--ro-bind', 2).map(([source, target]) => `${source} ${target}`)
    expect(bound).toEqual([
      '/usr /usr',
      '/etc/ssl/certs /etc/ssl/certs',
      '/app/dist /app/dist',
      '/srv/echo /srv/echo',
    ])
    expect(valuesOf(args, '--symlink', 2)).toEqual([['usr/lib', '/lib']])
    expect(valuesOf(args, '--remount-ro', 1).flat()).toEqual(['/dev', '/'])
  })

  it('shows a function its secrets where it may look for them', () => {
    const own = bwrap(launch({ secrets: '/dev/shm/s/echo-1' }), VIEW)
    expect(own.join(' ')).toContain('--ro-bind /dev/shm/s/echo-1 /var/openfaas/secrets')
    expect(valuesOf(own, '--dir', 1).flat()).toContain('/var/openfaas')
    expect(args.join(' ')).not.toContain('/var/openfaas')
  })

  it('bounds what it may write to', () => {
    expect(valuesOf(args, '--size', 3).map(([, , path]) => path)).toEqual(['/dev/shm', '/tmp'])
  })

  it('reads accounts and the filter from the first free descriptors', () => {
    expect(valuesOf(args, '--ro-bind-data', 2)).toEqual([
      ['7', '/etc/passwd'],
      ['8', '/etc/group'],
    ])
    expect(valuesOf(args, '--seccomp', 1)).toEqual([['9']])
  })

  it('gives root’s function a user instead of a user namespace', () => {
    const rooted = bwrap(launch({ uid: 58_001 }), VIEW)
    expect(rooted).not.toContain('--unshare-user')
    expect(valuesOf(rooted, '--cap-add', 1).flat()).toEqual(['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'])
    expect(asUser(undefined)).toEqual([])
    expect(asUser(58_001).join(' ')).toMatch(
      /setpriv --reuid 58001 --regid 58001 --clear-groups --no-new-privs .*--bounding-set=-all --$/,
    )
  })

  it('leaves nothing in the environment that leads to what is not there', () => {
    expect(confined(launch())).toMatchObject({ PATH: '/usr/bin', HOME: '/tmp', TMPDIR: '/tmp' })
    expect(confined(launch()).SSLKEYLOGFILE).toBeUndefined()
  })
})

describe('user ids of functions', () => {
  it('are one for each, and the same one again', () => {
    const uids = new Uids()
    const range = { first: 58_000, last: 58_001 }
    expect(['a', 'b', 'a'].map(name => uids.of(name, range))).toEqual([58_000, 58_001, 58_000])
    expect(() => uids.of('c', range)).toThrow('isolationUids has no id left for c: it ends at 58001')
  })

  it('are of no account', () => {
    const accounts = 'root:x:0:0::/:/bin/sh\nanna:x:58003:100::/home/anna:/bin/sh\n\n+::::::\n'
    expect(taken({ first: 58_000, last: 58_002 }, accounts)).toBeUndefined()
    expect(taken({ first: 58_000, last: 58_999 }, accounts)?.what).toBe(
      'the user anna has the id 58003, which is one of isolationUids',
    )
  })
})
