import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'remove',
  synopsis: 'FUNCTION',
  summary: 'take a function out of the running platform; --file: out of the stack file, too',
  words: { least: 1, most: 1, needs: 'the name of a function', completes: ['function'] },
  options: {
    file: { kind: 'switch', help: 'take it out of the stack file as well, whose comments stay' },
    ...JSON_AND_CONFIG,
  },
  help: `Its containers end when their requests have been answered; the others are told that it is gone.
Without --file the next up or reload brings it back, since the stack file still names it. --file works also
where nothing is running. The folder of the function stays in any case.`,
  examples: ['hotpotato remove greet', 'hotpotato remove greet --file'],
  async run(options, [name]) {
    const { removeFunction } = await import('../../new/remove.ts')
    await removeFunction(name!, options)
  },
})
