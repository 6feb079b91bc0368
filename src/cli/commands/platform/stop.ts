import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'stop',
  synopsis: '',
  summary: 'stop the platform',
  words: NO_WORDS,
  options: CONFIG,
  help: `Ends the gateway and all containers: requests that are at work are answered first, and connections
are closed in order; where there are other hosts, they get first what they can take, as by drain --all. It
is no fault if nothing runs.`,
  examples: ['hotpotato stop', 'hotpotato stop --config other.yml'],
  async run({ config }) {
    const { stopPlatform } = await import('../../platform/stop.ts')
    await stopPlatform(config)
  },
})
