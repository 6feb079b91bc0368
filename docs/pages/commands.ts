import { type AnyCommand, loadAll } from '../../src/cli/line/command.ts'
import { ENDS, flagLines, usageOf } from '../../src/cli/line/help.ts'
import { TABLE } from '../../src/cli/table.ts'

/** Loaded here, so that the page itself can be made at once. */
const THEMES = await loadAll(TABLE)

/** The page on the commands: what `hotpotato COMMAND --help` says of each. */
export function commandsPage(): string {
  const lists = THEMES.map(({ title, commands }) => {
    const lines = commands.map(({ name, summary }) => `| [\`${name}\`](#${name}) | ${summary} |`)
    return [`**${title[0]!.toUpperCase()}${title.slice(1)}**`, '', '| | |', '| --- | --- |', ...lines].join(
      '\n',
    )
  })
  return `# Commands

Generated from the table of commands by \`npm run docs\`; a test fails when this page is not current.
\`hotpotato COMMAND --help\` says the same on the terminal, and \`hotpotato completion\` lets shells complete
all of it.

What all pages have to type begins with \`npx --no hotpotato\`: that works in a checkout, and in a folder in
which hotpotato is installed. Without \`--no\`, npm would elsewhere fetch a package of a stranger, which has
that name. Sentences, and the texts of help, call the same command \`hotpotato\`; it can be typed so after
\`alias hotpotato='npx --no hotpotato'\`. In a checkout \`npm start\`, \`npm stop\`, \`npm run status\` and
\`npm run logs\` are short for \`up\`, \`stop\`, \`status\` and \`logs -f\`.

${ENDS}

On a terminal and in a pipe the commands say the same, but for \`logs\`, which gives JSON in a pipe. What a
command is at, and what goes wrong, is on standard error; standard output has the result alone. A reader that
closes the pipe, as \`head\` does, ends the command quietly. Where standard output is closed from the
beginning (\`>&-\`), Node puts \`/dev/null\` in its place before a command could see that, and it ends as
with \`> /dev/null\`. \`--config FILE\` chooses the stack file, and
\`HOTPOTATO_RUN_DIR\` the run directory by which a command finds the platform that runs.

${lists.join('\n\n')}

${THEMES.flatMap(({ commands }) => commands.map(section)).join('\n\n')}
`
}

function section(command: AnyCommand): string {
  const { name, summary, options, help, examples, fromEnvironment } = command
  const variable =
    fromEnvironment === true
      ? [`Each option may also be a variable of the environment, as \`HOTPOTATO_${name.toUpperCase()}_…\`.`]
      : []
  const flags = Object.keys(options).length === 0 ? [] : [code(flagLines(options))]
  return [
    `## ${name}`,
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    code(usageOf(command)),
    help.replaceAll('<', '&lt;'),
    ...flags,
    ...variable,
    code(examples.map(typed).join('\n'), 'sh'),
  ].join('\n\n')
}

function code(text: string, language = ''): string {
  return `\`\`\`${language}\n${text}\n\`\`\``
}

/** A line of a shell, with the command as pages write it. */
function typed(line: string): string {
  return line.replace(/\bhotpotato (?=[a-z])/g, 'npx --no hotpotato ')
}
