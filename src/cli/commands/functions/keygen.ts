import { defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'keygen',
  synopsis: '',
  summary: 'make an identity of age, as age-keygen does',
  words: NO_WORDS,
  options: {
    output: {
      kind: 'text',
      short: 'o',
      value: 'FILE',
      help: 'write it there, for its owner alone',
      completes: 'file',
    },
  },
  help: `Makes a secret identity and names the recipient that belongs to it. Its file is one of age-keygen's:
either program reads those of the other.`,
  examples: ['hotpotato keygen --output key.txt'],
  async run({ output }) {
    const { keygen } = await import('../../sealed/keygen.ts')
    await keygen(output)
  },
})
