import { CONFIG, defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'invoke',
  synopsis: 'FUNCTION',
  summary: 'call a function of the running platform with what comes on standard input',
  words: { least: 1, most: 1, needs: 'the name of a function', completes: ['function'] },
  options: {
    async: { kind: 'switch', short: 'a', help: 'do not wait for the answer: print the id of the call' },
    callback: { kind: 'text', value: 'URL', help: 'with --async: where the answer is sent to' },
    data: { kind: 'text', short: 'd', value: 'TEXT', help: 'the body; @FILE: the content of that file' },
    method: { kind: 'text', short: 'X', value: 'METHOD', help: 'default: POST; GET and HEAD send no body' },
    header: { kind: 'each', short: 'H', value: '"NAME: VALUE"', help: 'one more header field' },
    identity: {
      kind: 'text',
      value: 'FILE',
      help: 'for a sealed function: an identity of age',
      completes: 'file',
    },
    'key-file': {
      kind: 'text',
      value: 'FILE',
      help: 'for a sealed function: has its data key; - is standard input',
      completes: 'file',
    },
    path: { kind: 'text', value: 'PATH', help: 'of the function, with its query: /items?from=3; default: /' },
    clear: { kind: 'switch', help: 'over the port without TLS' },
    include: { kind: 'switch', short: 'i', help: 'print the status and the header fields, too' },
    ca: { kind: 'text', value: 'FILE', help: 'the authorities to trust, PEM', completes: 'file' },
    insecure: { kind: 'switch', help: 'do not check the certificate' },
    ...CONFIG,
  },
  help: `Prints the answer as it comes. Ends with status 1 if there is none, or its status is 400 or more.
Without --data the body is standard input: Ctrl-D ends it on a terminal. The certificate must be that of the
function in the directory of certificates, or of its authority there.`,
  examples: [
    'echo hello | hotpotato invoke echo',
    'hotpotato invoke echo -X GET --path "/greet?name=ada" -i',
    'hotpotato invoke resize --data @photo.jpg --path "/?width=200" > small.jpg',
    'hotpotato invoke echo --async --data hello',
    'hotpotato invoke vault --data hello --identity key.txt',
  ],
  async run(options, [name]) {
    const { invoke } = await import('../../invoke/invoke.ts')
    await invoke(name!, options)
  },
})
