import type { CommandModel, Offer } from './model.ts'

/** A script for zsh. */
export function zsh(commands: readonly CommandModel[]): string {
  const cases = commands.map(({ name, options, places }) => {
    const specs = [
      ...options.map(({ long, short, help, value }) => {
        const names = short === undefined ? `'${long}` : `{${short},${long}}'`
        return `${names}[${described(help)}]${value === undefined ? '' : `:value:${action(value)}`}'`
      }),
      ...places.map((place, at) => `'${at === places.length - 1 ? '*' : at + 1}:name:${action(place)}'`),
    ]
    return `    ${name}) _arguments ${specs.join(' \\\n      ')} ;;`
  })
  const names = commands.map(({ name, summary }) => `    '${name}:${described(summary)}'`)
  return `#compdef hotpotato
# Completes hotpotato in zsh: source <(hotpotato completion zsh)
_hotpotato_names() { compadd -- \${(f)"$(hotpotato completion --names $1 2>/dev/null)"} }
_hotpotato() {
  local -a commands=(
${names.join('\n')}
  )
  local -i at=2
  while ((at < CURRENT)) && [[ \${words[at]} == -* ]]; do ((at++)); done
  if ((at == CURRENT)); then
    if [[ \${words[at]} == -* ]]; then compadd -- --help --version
    else _describe command commands; fi
    return
  fi
  local command=\${words[at]}
  shift $((at - 1)) words
  ((CURRENT -= at - 1))
  case $command in
${cases.join('\n')}
  esac
}
if (( $+functions[compdef] )); then compdef _hotpotato hotpotato; fi
`
}

/** Without what zsh, its quotes and its specifications have a meaning for. */
function described(text: string): string {
  return text.replaceAll("'", '’').replaceAll('[', '(').replaceAll(']', ')').replaceAll(':', ' -')
}

function action(offer: Offer): string {
  if (offer.kind === 'words') return `(${offer.words.join(' ')})`
  if (offer.kind === 'names') return `{_hotpotato_names ${offer.of}}`
  return offer.kind === 'file' ? '_files' : ' '
}
