import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'describe',
  synopsis: 'FUNCTION',
  summary: 'one function as it runs: where it answers, its containers, its settings',
  words: { least: 1, most: 1, needs: 'the name of a function', completes: ['function'] },
  options: JSON_AND_CONFIG,
  help: 'Of variables and secrets it says the names, never the values.',
  examples: ['hotpotato describe echo', 'hotpotato describe echo --json'],
  async run(options, [name]) {
    const [{ ask }, { descriptionText }, { say }] = await Promise.all([
      import('../../platform/order.ts'),
      import('../../platform/description.ts'),
      import('../../terminal/output.ts'),
    ])
    const one = await ask<Parameters<typeof descriptionText>[0]>(`describe ${name}`, options)
    say(options.json ? JSON.stringify(one) : descriptionText(one))
  },
})
