import type { CommandModel, Offer } from './model.ts'

/** A script for fish. */
export function fish(commands: readonly CommandModel[]): string {
  const begin = 'complete -c hotpotato'
  const lines = commands.flatMap(({ name, summary, options, places }) => {
    const when = `${begin} -n '__hotpotato_at ${name}'`
    return [
      `${begin} -n __hotpotato_at -f -a ${name} -d ${quoted(summary)}`,
      ...options.map(({ long, short, help, value }) => {
        const letter = short === undefined ? '' : ` -s ${short.slice(1)}`
        return `${when} -l ${long.slice(2)}${letter}${valued(value)} -d ${quoted(help)}`
      }),
      // Without any, fish would offer paths.
      ...(places.length === 0 ? [`${when} -f`] : []),
      ...places.map((place, at) => {
        const last = at === places.length - 1 ? '+' : ''
        return `${begin} -n '__hotpotato_at ${name} ${at}${last}'${offered(place)}`
      }),
    ]
  })
  const skipped = commands.flatMap(({ name, options }) =>
    options.flatMap(({ long, short, value }) =>
      value === undefined
        ? []
        : [long, ...(short === undefined ? [] : [short])].map(one => `'${name} ${one}'`),
    ),
  )
  return `# Completes hotpotato in fish: hotpotato completion fish | source
# Whether the cursor is behind that command, with so many words between; with +: or more. Or behind none.
function __hotpotato_at -a command place
  set -l found ''
  set -l count 0
  set -l skip no
  set -l words (commandline -opc)
  for word in $words[2..-1]
    if test $skip = yes
      set skip no
    else if string match -q -- '-*' $word
      contains -- "$found $word" ${skipped.join(' ')}
      and set skip yes
    else if test -z "$found"
      set found $word
    else
      set count (math $count + 1)
    end
  end
  test "$found" = "$command"
  or return 1
  test -z "$place" -o "$place" = $count
  and return 0
  string match -q -- '*+' "$place"
  and test $count -ge (string replace + '' -- $place)
end
${begin} -n __hotpotato_at -l help -d 'what commands there are'
${begin} -n __hotpotato_at -l version -d 'which hotpotato this is'
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
