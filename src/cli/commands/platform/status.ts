import { defineCommand, JSON_AND_CONFIG, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'status',
  synopsis: '',
  summary: 'what is running, and what it has done',
  words: NO_WORDS,
  options: {
    connections: { kind: 'switch', help: 'list every connection, too' },
    ...JSON_AND_CONFIG,
  },
  help: `Shows the functions, and each process: its state, its connections, what it has taken and moved, how
much memory it holds. Status 1 says that nothing runs.`,
  examples: ['hotpotato status', 'hotpotato status --connections', 'hotpotato status --json | head -c 200'],
  async run(options) {
    const { showStatus } = await import('../../platform/status-command.ts')
    await showStatus(options)
  },
})
