import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'
import { UsageError } from '../../line/usage-error.ts'

export const command = defineCommand({
  name: 'status',
  synopsis: '[FUNCTION]',
  summary: 'what is running, and what it has done',
  words: { least: 0, most: 1, completes: ['function'] },
  options: {
    connections: { kind: 'switch', help: 'list every connection, too' },
    watch: { kind: 'switch', help: 'with FUNCTION: go on with a line for each change, until Ctrl-C' },
    ...JSON_AND_CONFIG,
  },
  help: `Shows the functions, and each process: its state, its connections, what it has taken and moved, how
much memory it holds. Status 1 says that nothing runs. With FUNCTION: the pool of its containers, what has
become of each lately and why, and what leads from one state to the next.`,
  examples: [
    'hotpotato status',
    'hotpotato status --connections',
    'hotpotato status echo',
    'hotpotato status --json | head -c 200',
  ],
  async run(options, [name]) {
    if (name !== undefined) {
      const { showPool } = await import('../../platform/pool.ts')
      return showPool(name, options)
    }
    if (options.watch) throw new UsageError('status --watch needs the name of a function')
    const { showStatus } = await import('../../platform/status-command.ts')
    await showStatus(options)
  },
})
