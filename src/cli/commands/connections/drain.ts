import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'drain',
  synopsis: 'CONTAINER…',
  summary: 'move all connections of containers to others of their functions, and end them',
  words: {
    least: 1,
    most: 64,
    needs: 'the names of one or more containers',
    completes: ['container'],
  },
  options: JSON_AND_CONFIG,
  help: `The last container of a function stays: where would its connections go? Use deploy for that.
Containers that are drained together do not give connections to each other.`,
  examples: ['hotpotato drain echo-1', 'hotpotato drain echo-1 echo-2 --json'],
  async run(options, names) {
    const { rollOut } = await import('../../platform/order.ts')
    await rollOut(`drain ${names.join(' ')}`, options)
  },
})
