import { defineCommand, JSON_AND_CONFIG, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'list',
  synopsis: '',
  summary: 'the functions that run, and how many containers each has',
  words: NO_WORDS,
  options: { quiet: { kind: 'switch', short: 'q', help: 'the names alone' }, ...JSON_AND_CONFIG },
  help: 'READY is how many of the replicas take connections now. hotpotato describe says more of one.',
  examples: ['hotpotato list', 'for one in $(hotpotato list -q); do hotpotato deploy $one; done'],
  async run(options) {
    const { list } = await import('../../platform/list.ts')
    await list(options)
  },
})
