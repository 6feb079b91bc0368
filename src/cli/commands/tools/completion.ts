import { SHELLS } from '../../completion/shells.ts'
import { CONFIG, defineCommand } from '../../line/command.ts'
import { UsageError } from '../../line/usage-error.ts'

export const command = defineCommand({
  name: 'completion',
  synopsis: SHELLS.join('|'),
  summary: 'print what makes a shell complete commands, options and names with Tab',
  words: {
    least: 0,
    most: 1,
    needs: `the name of a shell: ${SHELLS.join(', ')}`,
    forms: [new RegExp(`^(${SHELLS.join('|')})$`)],
    completes: [SHELLS],
  },
  options: {
    names: {
      kind: 'text',
      among: ['function', 'container'],
      help: 'print the names that there are now, as the script asks for them',
    },
    ...CONFIG,
  },
  help: `Names of functions and containers come from the platform that runs, or else from the stack file. Put
the line of the example into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.`,
  examples: [
    'source <(hotpotato completion bash)',
    'source <(hotpotato completion zsh)',
    'hotpotato completion fish | source',
  ],
  async run({ names, config }, [shell], { table }) {
    if (names !== undefined) return (await import('../../completion/names.ts')).printNames(names, config)
    const known = SHELLS.find(one => one === shell)
    if (known === undefined)
      throw new UsageError(`completion needs the name of a shell: ${SHELLS.join(', ')}`)
    const [{ completionScript }, { write }] = await Promise.all([
      import('../../completion/script.ts'),
      import('../../terminal/output.ts'),
    ])
    await write(await completionScript(known, table))
  },
})
