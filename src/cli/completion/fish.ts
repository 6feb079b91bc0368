import type { CommandModel, Offer } from './model.ts'

/** A script for fish. */
export function fish(commands: readonly CommandModel[]): string {
  const begin = 'complete -c hotpotato'
  const lines = commands.flatMap(({ name, summary, options, places }) => {
    const when = `${begin} -n '__fish_seen_subcommand_from ${name}'`
    return [
      `${begin} -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...options.map(({ long, short, help, value }) => {
        const letter = short === undefined ? '' : ` -s ${short.slice(1)}`
        return `${when} -l ${long.slice(2)}${letter}${valued(value)} -d ${quoted(help)}`
      }),
      // Without any, fish would offer paths.
      ...(places.length === 0 ? [`${when} -f`] : places.map(place => `${when}${offered(place)}`)),
    ]
  })
  return `# Completes hotpotato in fish: hotpotato completion fish | source
${lines.join('\n')}
`
}

/** Fish quotes as a shell does, but for the quote itself and the backslash. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function valued(value: Offer | undefined): string {
  if (value === undefined) return ''
  return value.kind === 'file' ? ' -r -F' : ` -x${value.kind === 'nothing' ? '' : offered(value).slice(3)}`
}

function offered(offer: Offer): string {
  if (offer.kind === 'words') return ` -f -a ${quoted(offer.words.join(' '))}`
  if (offer.kind === 'names') return ` -f -a '(hotpotato completion --names ${offer.of})'`
  return offer.kind === 'file' ? ' -F' : ' -f'
}
