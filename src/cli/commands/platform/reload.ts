import { defineCommand, JSON_AND_CONFIG, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'reload',
  synopsis: '',
  summary: 'read the stack file anew and apply what differs; no connection is lost',
  words: NO_WORDS,
  options: JSON_AND_CONFIG,
  help: `Functions are added, removed, deployed anew or scaled; all processes are told of hosts. SIGHUP to the
process of hotpotato up does the same. A file that makes no sense is refused whole: nothing changes, and
the message says where. Ports, the run directory and the log take a new start.`,
  examples: ['hotpotato reload', 'hotpotato reload --json'],
  async run(options) {
    const { reload } = await import('../../up/reload.ts')
    await reload(options)
  },
})
