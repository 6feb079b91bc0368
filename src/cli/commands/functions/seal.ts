import { defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'seal',
  synopsis: 'FILE|DIRECTORY',
  summary: 'encrypt a function, so that only requests with its key can run it',
  words: { least: 1, most: 1, needs: 'a FILE or a DIRECTORY', completes: ['file'] },
  options: {
    recipient: { kind: 'list', short: 'r', value: 'age1…', help: 'who can open it; any number of them' },
    output: { kind: 'text', short: 'o', value: 'FILE', help: 'default: NAME.potato', completes: 'file' },
    name: { kind: 'text', value: 'NAME', help: "default: the file's or the directory's own" },
    release: { kind: 'text', value: 'V', help: 'default: what package.json says' },
    entry: { kind: 'text', value: 'FILE', help: "the function's module in a DIRECTORY" },
    'key-file': {
      kind: 'text',
      value: 'FILE',
      help: 'seal under that data key again; - is standard input',
      completes: 'file',
    },
    'show-key': { kind: 'switch', help: 'print the data key, for callers without an identity' },
  },
  help: `Writes a bundle: the files of a function under a random data key, which is wrapped with age for each
recipient. Name, version and size are readable, all else is not, and nothing can be changed unseen.
A stack file names the bundle under \`sealed\`; a request brings the key in the field x-hotpotato-key.`,
  examples: [
    'hotpotato seal hello.mjs --recipient "$(age-keygen -y key.txt)"',
    'hotpotato seal ./hello --release 1.2 --output hello.potato --show-key',
  ],
  async run(options, [source]) {
    const { seal } = await import('../../sealed/seal.ts')
    await seal(source!, options)
  },
})
