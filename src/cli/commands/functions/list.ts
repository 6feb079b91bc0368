import { defineCommand, JSON_AND_CONFIG, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'list',
  synopsis: '',
  summary: 'the functions that run, and how many containers each has',
  words: NO_WORDS,
  options: { quiet: { kind: 'switch', short: 'q', help: 'the names alone' }, ...JSON_AND_CONFIG },
  help: `READY is how many of the replicas take connections now, CALLS how many requests the containers that
are there have answered. hotpotato describe says more of one function.`,
  examples: ['hotpotato list', 'for one in $(hotpotato list -q); do hotpotato deploy $one; done'],
  async run(options) {
    const { list } = await import('../../platform/list.ts')
    await list(options)
  },
})
