import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  [['de'], 'demo describe deploy'],
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
  [['deploy', 'scale', '--j'], '--json'],
  [['stop', ''], ''],
  [['nonsense', ''], ''],
]
/** The same but for names, which cost a process each, and for what shells offer where we do not. */
const TRIED = TYPED.filter(([, offered]) => offered !== '' && offered !== 'hello')

/** What was offered, a line for each. */
function expectOffered(lines: readonly string[], typed: typeof TYPED = TRIED): void {
  const got = typed.map(([words], at) => [words.join(' '), sorted(lines[at] ?? 'no line')])
  expect(got).toEqual(typed.map(([words, offered]) => [words.join(' '), sorted(offered)]))
}

function sorted(words: string): string {
  return [...new Set(words.split(' '))].sort().join(' ')
}

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
    expectOffered(lines, TYPED)
  })
})

const ZSH = isInstalled('zsh', ['--version'])

describe.skipIf(!ZSH)(`in zsh${missing(ZSH, 'zsh', 'zsh')}`, () => {
  it('Tab offers the same', async () => {
    // Completion needs a terminal, which zsh makes itself; what is offered is noted where it is added.
    const inner = `
PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit && compinit -u -D
hotpotato() { "${process.execPath}" "${MAIN}" "$@"; }
source for-zsh
compadd() {
  local -a hits
  [[ " $* " == *' '-(O|A|D)' '* ]] || { builtin compadd -A hits "$@"; print -rn -- "$hits " >>offered; }
  builtin compadd "$@"
}
tabbed() { zle complete-word; print >>offered; zle kill-buffer; }
zle -N tabbed; bindkey '^I' tabbed; stty -echo; print >ready
`
    const outer = `
zmodload zsh/zpty; : >offered
zpty -b z zsh -f -i
zpty -w z 'source ./inner'
until [[ -e ready ]]; do sleep 0.05; done
tab() {
  lines=$(wc -l <offered)
  zpty -w -n z "hotpotato $1"$'\\t'
  until (( $(wc -l <offered) > lines )); do sleep 0.02; zpty -r -t z out; done
}
${tabs("'")}
zpty -d z
`
    writeFileSync(join(directory, 'for-zsh'), await completionScript('zsh', TABLE))
    writeFileSync(join(directory, 'inner'), inner)
    await run('zsh', ['-f', '-c', outer], '', { cwd: directory, env: environmentOf(directory) })
    expectOffered(
      readFileSync(join(directory, 'offered'), 'utf8')
        .split('\n')
        .map(line => line.trim()),
    )
  })
})

const FISH = isInstalled('fish', ['--version'])

describe.skipIf(!FISH)(`in fish${missing(FISH, 'fish', 'fish')}`, () => {
  it('Tab offers the same', async () => {
    const script = `
function hotpotato; "${process.execPath}" "${MAIN}" $argv; end
hotpotato completion fish | source
function tab; echo (complete -C "hotpotato $argv" | string split -f1 \\t); end
${tabs('"')}
`
    const ran = await run('fish', ['--no-config', '-c', script], '', {
      cwd: directory,
      env: { ...environmentOf(directory), HOME: directory },
    })
    expectOffered(ran.stdout.toString().trimEnd().split('\n'))
  })
})

/** A call for each line. @param quote around a word with a space in it */
function tabs(quote: string): string {
  const line = (words: readonly string[]): string =>
    words.map(word => (word.includes(' ') ? `${quote}${word}${quote}` : word)).join(' ')
  return TRIED.map(([words]) => `tab ${quoted(line(words))}`).join('\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

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
