import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completionScript } from '../../src/cli/completion/script.ts'
import { SHELLS } from '../../src/cli/completion/shells.ts'
import { loadAll, namesOf } from '../../src/cli/line/command.ts'
import { TABLE } from '../../src/cli/table.ts'
import { environmentOf, MAIN } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-completion-'))
  writeFileSync(join(directory, 'hotpotato.yml'), 'functions: { echo: {}, hello: {} }')
})
afterAll(() => rmSync(directory, { recursive: true }))

/** What is typed before Tab, and what is offered. */
const TYPED: readonly (readonly [words: readonly string[], offered: string])[] = [
  [['sca'], 'scale'],
  [['de'], 'describe deploy'],
  [['--v'], '--version'],
  [['scale', ''], 'echo hello'],
  [['--json', 'scale', 'h'], 'hello'],
  [['scale', 'echo', ''], '0 1 2 4'],
  [['up', '--carrier', ''], 'fd relay'],
  [['up', '--carrier', 'fd', '--dup'], '--duplicate'],
  [['invoke', '-H', 'x: y', 'he'], 'hello'],
  [['inspect', 'file', '--as', 'se'], 'session sealed'],
  [['completion', ''], 'bash zsh fish'],
  [['help', 'stat'], 'status'],
  [['stop', ''], ''],
  [['nonsense', ''], ''],
]
const BASH = isInstalled('bash', ['--version'])

describe.skipIf(!BASH)(`in bash${missing(BASH, 'bash', 'bash')}`, () => {
  it('Tab offers commands, options, their values, and names of functions', async () => {
    const script = `
hotpotato() { "${process.execPath}" "${MAIN}" "$@"; }
source <(hotpotato completion bash)
tab() {
  COMP_WORDS=(hotpotato "$@")
  COMP_CWORD=$#
  _hotpotato
  echo "\${COMPREPLY[*]}"
}
${TYPED.map(([words]) => `tab ${words.map(word => `'${word}'`).join(' ')}`).join('\n')}
complete -p hotpotato
`
    const ran = await run('bash', ['-c', script], '', { cwd: directory, env: environmentOf(directory) })
    const lines = ran.stdout.toString().trimEnd().split('\n')
    expect(lines.at(-1)).toBe('complete -o default -F _hotpotato hotpotato')
    const pairs = TYPED.map(([words, offered], at) => [words.join(' '), lines[at], offered])
    expect(pairs.map(([words, got]) => [words, got])).toEqual(
      pairs.map(([words, , offered]) => [words, offered]),
    )
  })
})

describe.each(SHELLS)('the script for %s', shell => {
  const there = isInstalled(shell, ['--version'])

  it('has every command, and every option of it', async () => {
    const text = await completionScript(shell, TABLE)
    const every = (await loadAll(TABLE)).flatMap(({ commands }) => commands)
    for (const name of namesOf(TABLE)) expect(text).toMatch(new RegExp(`\\b${name}\\b`))
    const dashes = shell === 'fish' ? '-l ' : '--'
    for (const { options } of every)
      for (const name of Object.keys(options)) expect(text).toContain(`${dashes}${name}`)
  })

  it.skipIf(!there)(`is one that it reads${missing(there, shell, shell)}`, async () => {
    const file = join(directory, `for-${shell}`)
    writeFileSync(file, await completionScript(shell, TABLE))
    const ran = await run(shell, ['-n', file])
    expect(ran.stderr.toString()).toBe('')
  })
})
