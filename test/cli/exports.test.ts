import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sample } from '../support/long.ts'
import { run } from '../support/programs.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { name, exports, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
}
const SPECIFIERS = Object.keys(exports).map(one => `${name}${one.slice(1)}`)

/** Bytes of what is downloaded, and of what is installed, at most. */
const MOST_PACKED = 1.5e6
const MOST_UNPACKED = 5e6

interface Packed {
  readonly filename: string
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string }[]
}

/** Installed as npm would do it, but for what it depends on, which is that of this checkout. */
describe('what npm pack makes', () => {
  let folder: string
  let packed: Packed

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hotpotato-exports-'))
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      '',
      { cwd: ROOT },
    )
    packed = (JSON.parse(stdout.toString()) as [Packed])[0]
    const installed = join(folder, 'node_modules', name)
    mkdirSync(installed, { recursive: true })
    const file = readdirSync(folder).find(one => one.endsWith('.tgz'))!
    await run('tar', ['xzf', join(folder, file), '-C', installed, '--strip-components=1'])
    symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
    mkdirSync(join(folder, 'node_modules', '@types'))
    symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('has a name that belongs to no stranger, and the command is called hotpotato all the same', () => {
    expect([name, bin]).toEqual(['@hotpotato-tls/hotpotato', { hotpotato: 'bin/hotpotato.js' }])
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
    expect([lock.name, lock.packages[''].name]).toEqual([name, name])
  })

  it('has neither tests nor benches nor maps, and is small', () => {
    const paths = packed.files.map(({ path }) => path)
    expect(paths.filter(path => /(^|\/)(test|bench|vectors)\/|\.map$|\.tsbuildinfo$/.test(path))).toEqual([])
    for (const path of Object.values(exports))
      for (const one of [path, path.replace(/\.js$/, '.d.ts')]) expect(paths).toContain(one.slice(2))
    expect(packed.size).toBeLessThan(MOST_PACKED)
    expect(packed.unpackedSize).toBeLessThan(MOST_UNPACKED)
  })

  it('can be imported, each entry by itself, from another folder', async () => {
    const text = `for (const one of ${JSON.stringify(SPECIFIERS)})
      await import(one).then(() => console.log(one))`
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text], '', {
      cwd: folder,
    })
    expect(stderr).toBe('')
    expect(stdout.toString().trim().split('\n')).toEqual(SPECIFIERS)
  })

  const MODULES = [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ] as const
  it.each(sample(MODULES, 1))('has types for module %s, resolved as %s', async (module, moduleResolution) => {
    const lines = SPECIFIERS.map((one, i) => `import * as m${i} from '${one}'\nexport const n${i} = m${i}`)
    writeFileSync(join(folder, 'all.ts'), lines.join('\n'))
    const options = ['--module', module, '--moduleResolution', moduleResolution, '--target', 'es2023']
    const strict = ['--strict', '--noEmit', '--types', 'node', '--lib', 'es2023', 'all.ts']
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout, code } = await run(process.execPath, [tsc, ...options, ...strict], '', { cwd: folder })
    expect([stdout.toString().split('\n').slice(0, 10), code]).toEqual([[''], 0])
  })
})
