import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'
import { UsageError } from '../../line/usage-error.ts'

export const command = defineCommand({
  name: 'drain',
  synopsis: 'CONTAINER… | --all',
  summary: 'move all connections of containers to others of their functions, and end them',
  words: { least: 0, most: 64, completes: ['container'] },
  options: {
    all: { kind: 'switch', help: 'every container of this host whose function another host has' },
    ...JSON_AND_CONFIG,
  },
  help: `The last container of a function stays, unless another host has one: where would its connections
go? Use deploy for that. Containers that are drained together do not give connections to each other.
With --all this host gives all that it can to other hosts, as before it is stopped; scale has a function
here again.`,
  examples: ['hotpotato drain echo-1', 'hotpotato drain echo-1 echo-2 --json', 'hotpotato drain --all'],
  async run({ all, ...options }, names) {
    if (names.length > 0 === (all === true))
      throw new UsageError('drain needs the names of one or more containers, or --all alone')
    const { rollOut } = await import('../../platform/order.ts')
    await rollOut(all === true ? 'leave' : `drain ${names.join(' ')}`, options)
  },
})
