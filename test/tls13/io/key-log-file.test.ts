import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExposedSecret } from '../../../src/tls13/index.ts'
import { keyLogFile } from '../../../src/tls13/io/key-log-file.ts'

const SECRET = { keyLog: 'EXPORTER_SECRET', secret: new Uint8Array(2) } as unknown as ExposedSecret

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-keys-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('a key log file that is of no use is warned of once, and not followed', () => {
  const place = (name: string): string => join(directory, `useless-${name}`)
  const elsewhere = (): string => {
    const target = place('target')
    writeFileSync(target, '', { mode: 0o600 })
    return target
  }
  const kinds: Record<string, readonly [make: () => string, why: RegExp]> = {
    'a missing folder': [() => join(place('no'), 'such'), /ENOENT$/],
    'a folder': [() => directory, /EISDIR$/],
    // Files are warned of once in a process, and test files share theirs: no other one names this device.
    'a device': [() => '/dev/zero', /not a regular file$/],
    'a pipe without a reader': [
      () => {
        execFileSync('mkfifo', ['-m', '600', place('pipe')])
        return place('pipe')
      },
      /ENXIO$/,
    ],
    'a symbolic link': [
      () => {
        symlinkSync(elsewhere(), place('link'))
        return place('link')
      },
      /symbolic link$/,
    ],
    'a hard link': [
      () => {
        linkSync(elsewhere(), place('hard'))
        return place('hard')
      },
      /hard link\)$/,
    ],
    'a file that others can read': [
      () => {
        writeFileSync(place('open'), '')
        chmodSync(place('open'), 0o644)
        return place('open')
      },
      /chmod 600 it$/,
    ],
    "another user's file": [
      () => {
        writeFileSync(place('foreign'), '', { mode: 0o600 })
        chownSync(place('foreign'), 65_534, 65_534)
        return place('foreign')
      },
      /belongs to another user$/,
    ],
  }
  const root = process.getuid?.() === 0
  for (const [kind, [make, why]] of Object.entries(kinds)) {
    it.skipIf(!root && kind === "another user's file")(kind, () => {
      const warnings: string[] = []
      const path = make()
      const log = keyLogFile(path, text => warnings.push(text))
      log(SECRET, new Uint8Array(2))
      keyLogFile(path, text => warnings.push(text))(SECRET, new Uint8Array(2))
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(why)
      if (existsSync(place('target'))) {
        expect(readFileSync(place('target'), 'utf8')).toBe('')
        rmSync(place('target'))
      }
    })
  }

  it('and says how much is missing when it can be written again', () => {
    const path = place('later')
    mkdirSync(path)
    const log = keyLogFile(path, () => {})
    log(SECRET, new Uint8Array(2))
    log(SECRET, new Uint8Array(2))
    rmSync(path, { recursive: true })
    log(SECRET, new Uint8Array(2))
    const line = 'EXPORTER_SECRET 0000 0000\n'
    expect(readFileSync(path, 'utf8')).toBe(`# 2 lines were dropped\n${line}`)
  })
})
