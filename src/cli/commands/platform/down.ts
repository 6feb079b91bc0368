import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'down',
  synopsis: '',
  summary: 'stop the platform, and wait until all its processes are gone',
  words: NO_WORDS,
  options: CONFIG,
  help: `The partner of up. It does what stop does, and returns when no process of the platform is left, so
that the next command finds the ports free. It is no fault if nothing runs.`,
  examples: ['hotpotato down', 'hotpotato down && hotpotato up'],
  async run({ config }) {
    const { takeDown } = await import('../../platform/stop.ts')
    await takeDown(config)
  },
})
