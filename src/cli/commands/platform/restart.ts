import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'restart',
  synopsis: 'gateway',
  summary: 'start a new gateway, which takes the ports over, and end the old one',
  words: {
    least: 1,
    most: 1,
    needs: 'the word gateway; for containers there is deploy',
    forms: [/^gateway$/],
    completes: [['gateway']],
  },
  options: JSON_AND_CONFIG,
  help: `No connection is lost: the new gateway listens before the old one ends, and takes over what it
relays.`,
  examples: ['hotpotato restart gateway'],
  async run(options) {
    const { rollOut } = await import('../../platform/order.ts')
    await rollOut('restart gateway', options)
  },
})
