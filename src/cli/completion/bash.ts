import type { CommandModel, Offer } from './model.ts'

/** A script for bash. */
export function bash(commands: readonly CommandModel[]): string {
  const valued = commands.flatMap(({ name, options }) =>
    options.flatMap(({ long, short, value }) =>
      value === undefined ? [] : [{ words: [long, ...(short === undefined ? [] : [short])], name, value }],
    ),
  )
  const values = valued.map(({ words, name, value }) => {
    const patterns = words.map(word => `'${name} ${word}'`).join('|')
    return `    ${patterns}) ${offered(value)}; return ;;`
  })
  const options = commands.map(
    one => `    ${one.name}) _hotpotato_words '${one.options.map(({ long }) => long).join(' ')}' ;;`,
  )
  const places = commands.flatMap(({ name, places: all }) =>
    all.map((place, at) => {
      const which = at === all.length - 1 ? '*' : at
      return `    '${name} '${which}) ${offered(place)} ;;`
    }),
  )
  return `# Completes hotpotato in bash: source <(hotpotato completion bash)
_hotpotato_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_hotpotato_names() { _hotpotato_words "$(hotpotato completion --names "$1" 2>/dev/null)"; }
_hotpotato() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= place=0 at word
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ $word == -* ]]; then
      case "$command $word" in
        ${valued.flatMap(({ words, name }) => words.map(word => `'${name} ${word}'`)).join('|')}) ((at++)) ;;
      esac
    elif [[ -z $command ]]; then command=$word
    else ((place++)); fi
  done
  if [[ -z $command ]]; then
    _hotpotato_words '${commands.map(({ name }) => name).join(' ')} --help --version'
    return
  fi
  case "$command $previous" in
${values.join('\n')}
  esac
  if [[ $current == -* ]]; then
    case $command in
${options.join('\n')}
    esac
    return
  fi
  case "$command $place" in
${places.join('\n')}
  esac
}
complete -o default -F _hotpotato hotpotato
`
}

/** What completes one place. Where nothing is offered, bash completes paths. */
function offered(offer: Offer): string {
  if (offer.kind === 'words') return `_hotpotato_words '${offer.words.join(' ')}'`
  return offer.kind === 'names' ? `_hotpotato_names ${offer.of}` : ':'
}
