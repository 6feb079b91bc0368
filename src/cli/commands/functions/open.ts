import { defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'open',
  synopsis: 'BUNDLE',
  summary: 'verify and decrypt a bundle of `seal`',
  words: { least: 1, most: 1, needs: 'a BUNDLE', completes: ['file'] },
  options: {
    identity: { kind: 'list', short: 'i', value: 'FILE', help: 'identities of age', completes: 'file' },
    'key-file': {
      kind: 'text',
      value: 'FILE',
      help: 'has the data key; - is standard input',
      completes: 'file',
    },
    output: { kind: 'text', short: 'o', value: 'DIRECTORY', help: 'write the files there, in clear' },
    'show-key': { kind: 'switch', help: 'print the data key' },
  },
  help: `Decrypts in memory and verifies every byte, then lists the files. With --output it writes them.
Keys are read from files alone: other users can see the words of a command.`,
  examples: [
    'hotpotato open hello.potato --identity key.txt',
    'hotpotato open hello.potato --identity key.txt --output ./hello',
  ],
  async run(options, [file]) {
    const { open } = await import('../../sealed/open.ts')
    await open(file!, options)
  },
})
