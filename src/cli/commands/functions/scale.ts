import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'scale',
  synopsis: 'FUNCTION N',
  summary: 'start or drain containers of a function until there are N; 0: it sleeps',
  words: {
    least: 2,
    most: 2,
    needs: 'the name of a function and a number from 0 to 64',
    forms: [/./, /^(\d|[1-5]\d|6[0-4])$/],
    completes: ['function', ['0', '1', '2', '4']],
  },
  options: JSON_AND_CONFIG,
  help: `N lies within the bounds of the stack file: replicas: { min: 1, max: 4 }. Connections of containers
that go move to those that stay. 0 puts the function to sleep, whatever the bounds are: it has no
process, its connections hibernate with the gateway, and the next request wakes it.`,
  examples: ['hotpotato scale echo 1'],
  async run(options, [name, count]) {
    const { rollOut } = await import('../../platform/order.ts')
    await rollOut(`scale ${name} ${Number(count)}`, options)
  },
})
