import { CONFIG, defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'secret',
  synopsis: 'create|update|remove NAME | list',
  summary: 'keep secrets that functions get as files in memory',
  words: {
    least: 1,
    most: 2,
    needs: 'create, update, remove or list',
    forms: [/^(create|update|remove|list)$/],
    completes: [['create', 'update', 'remove', 'list']],
  },
  options: {
    'from-file': { kind: 'text', value: 'FILE', help: 'default: standard input', completes: 'file' },
    'from-literal': { kind: 'text', value: 'TEXT', help: 'for what is no secret: others see command lines' },
    exact: { kind: 'switch', help: 'keep an end of line at the end' },
    json: { kind: 'switch', help: 'print JSON, for programs' },
    ...CONFIG,
  },
  help: `Secrets lie in the directory that the stack file calls secretsDirectory, for their owner alone.
A function that names some under \`secrets\` finds them in ctx.secrets. No command shows one. A value has 1
byte to 1 MiB of any kind; one end of line at its end is cut off, and that is said. After \`update\`, what
runs has the old one until a reload or deploy; after \`remove\` it goes on with it, and cannot start anew.`,
  examples: [
    'printf %s "$TOKEN" | hotpotato secret create api-token',
    'hotpotato secret create tls-key --from-file key.pem --exact',
    'hotpotato secret list',
  ],
  async run(options, [action, name]) {
    const { secret } = await import('../../secret/secret.ts')
    await secret(action!, name, options)
  },
})
