import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { bin, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly bin: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}

/** A checkout with nothing in it but what is committed of `bin`, and what a test adds. */
let checkout: string
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'hotpotato-bin-'))
  cpSync(join(ROOT, 'bin'), join(checkout, 'bin'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(checkout, 'package.json'))
})
afterEach(() => rmSync(checkout, { recursive: true, force: true }))

function put(path: string, text: string): void {
  mkdirSync(join(checkout, path, '..'), { recursive: true })
  writeFileSync(join(checkout, path), text)
}

function ran(program: string, args: readonly string[] = [], cwd = checkout) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** A compiler that notes that it was called. */
const COMPILER = `import { mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('dist/src/cli', { recursive: true })
writeFileSync('dist/src/cli/main.js', 'process.stdout.write("compiled\\\\n")')
`

describe('the command of the package', () => {
  const launcher = bin.hotpotato!

  it('is a committed file that can be run, whatever a build leaves', () => {
    accessSync(join(ROOT, launcher), constants.X_OK)
    const { stdout } = ran('git', ['ls-files', '--stage', launcher], ROOT)
    expect(stdout).toMatch(/^100755 /)
    // What is compiled comes without that bit.
    put('dist/src/cli/main.js', 'process.stdout.write(process.argv.slice(2).join() + "\\n")')
    expect(ran(join(checkout, launcher), ['status', '--json'])).toEqual({
      status: 0,
      stdout: 'status,--json\n',
      stderr: '',
    })
  })

  it('can be run through a link, as npm makes it', () => {
    put('dist/src/cli/main.js', 'process.stdout.write("here\\n")')
    symlinkSync(join(checkout, launcher), join(checkout, 'hotpotato'))
    expect(ran(join(checkout, 'hotpotato'))).toMatchObject({ status: 0, stdout: 'here\n' })
  })

  it('says before a build what to do', () => {
    expect(ran(join(checkout, launcher), ['status'])).toEqual({
      status: 1,
      stdout: '',
      stderr: `hotpotato: it is not built yet: run npm ci && npm run build in ${checkout}/\n`,
    })
  })

  it('says what to do when a package is missing', () => {
    put('dist/src/cli/main.js', "import 'a-package-that-is-not-there'")
    expect(ran(join(checkout, launcher))).toEqual({
      status: 1,
      stdout: '',
      stderr: `hotpotato: a-package-that-is-not-there is missing: run npm ci in ${checkout}/\n`,
    })
  })

  it('lets other errors be seen', () => {
    put('dist/src/cli/main.js', 'throw new RangeError("of its own")')
    const { status, stderr } = ran(join(checkout, launcher))
    expect(status).toBe(1)
    expect(stderr).toContain('RangeError: of its own')
  })
})

describe('npm start', () => {
  const start = (): ReturnType<typeof ran> => ran('sh', ['-c', scripts.start!])

  it('builds first where there are sources and a compiler', () => {
    put('src/cli/main.ts', '')
    put('node_modules/typescript/bin/tsc', COMPILER)
    put('node_modules/typescript/package.json', '{ "type": "module" }')
    const stderr = 'hotpotato: compiling; the first time takes up to a minute\n'
    expect(start()).toEqual({ status: 0, stdout: 'compiled\n', stderr })
    expect(start()).toEqual({ status: 0, stdout: 'compiled\n', stderr: '' })
  })

  it('leaves what is compiled so that an older link of npx to it can be run', () => {
    put('src/cli/main.ts', '')
    put('node_modules/typescript/bin/tsc', COMPILER)
    put('node_modules/typescript/package.json', '{ "type": "module" }')
    start()
    accessSync(join(checkout, 'dist/src/cli/main.js'), constants.X_OK)
    expect(readFileSync(join(ROOT, 'src/cli/main.ts'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('starts nothing when the build fails', () => {
    put('src/cli/main.ts', '')
    put('dist/src/cli/main.js', 'process.stdout.write("old\\n")')
    put('node_modules/typescript/bin/tsc', 'process.exit(2)')
    expect(start()).toEqual({ status: 2, stdout: '', stderr: '' })
  })

  it.each([
    ['of what was packed', []],
    ['of a checkout that was built before its compiler went', ['src/cli/main.ts']],
  ])('needs no compiler, %s', (_, sources) => {
    for (const path of sources) put(path, '')
    put('dist/src/cli/main.js', 'process.stdout.write("built\\n")')
    expect(start()).toEqual({ status: 0, stdout: 'built\n', stderr: '' })
  })

  it('says what to do where nothing is built and there is no compiler', () => {
    put('src/cli/main.ts', '')
    const { status, stdout, stderr } = start()
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toBe(
      'hotpotato: not built yet, and no compiler here: ' +
        'run npm ci without --omit=dev, or install what npm pack makes\n',
    )
  })
})

it('npm run build fails without a compiler, whatever is built', () => {
  put('src/cli/main.ts', '')
  put('dist/src/cli/main.js', '')
  expect(ran('sh', ['-c', scripts.build!])).toMatchObject({ status: 1, stdout: '' })
})

describe('what npm packs', () => {
  it('is what the command needs, built, and no more', () => {
    const { stdout, stderr } = ran('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], ROOT)
    const said = JSON.parse(stdout || stderr) as [{ files: { path: string; mode: number }[] }]
    const packed = new Map(said[0].files.map(({ path, mode }) => [path, mode]))
    for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md', 'hotpotato.yml', 'docs/functions.md'])
      expect([...packed.keys()]).toContain(path)
    for (const path of ['cli/main', 'gateway/main', 'containers/process/worker', 'functions/shipped/echo'])
      expect([...packed.keys()]).toContain(`dist/src/${path}.js`)
    expect(packed.get(bin.hotpotato!)! & 0o111).toBe(0o111)
    const needless = /(^|\/)(test|bench|vectors)\/|\.map$|(?<!\.d)\.ts$|tsbuildinfo|\.(crt|key|bak|log)$/
    expect([...packed.keys()].filter(path => needless.test(path))).toEqual([])
  })
})
