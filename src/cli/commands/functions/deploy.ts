import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'deploy',
  synopsis: 'FUNCTION',
  summary: 'start new containers of a function, move its connections there, end the old ones',
  words: { least: 1, most: 1, needs: 'the name of a function', completes: ['function'] },
  options: JSON_AND_CONFIG,
  help: `New containers load the module of the function anew. When they are ready, all connections of the old
ones move to them, and the old ones end. Clients notice nothing.`,
  examples: ['hotpotato deploy echo', 'hotpotato deploy echo --json'],
  async run(options, [name]) {
    const { rollOut } = await import('../../platform/order.ts')
    await rollOut(`deploy ${name}`, options)
  },
})
