import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'logs',
  synopsis: '',
  summary: 'follow the log',
  words: NO_WORDS,
  options: CONFIG,
  help: 'Shows the end of the log of all processes, and what comes to it, until Ctrl-C.',
  examples: ['hotpotato logs'],
  async run({ config }) {
    const [{ followLogs }, { runDirectoryOf }] = await Promise.all([
      import('../../logs/logs.ts'),
      import('../../platform/order.ts'),
    ])
    await followLogs(runDirectoryOf({ config }))
  },
})
