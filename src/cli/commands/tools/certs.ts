import { CERTS_FLAGS } from '../../certs/flags.ts'
import { defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'certs',
  synopsis: '[NAME…]',
  summary: 'make certificates for functions, servers or clients to try things with',
  words: { least: 0, most: Number.POSITIVE_INFINITY, completes: ['function'] },
  options: CERTS_FLAGS,
  help: `Makes a throw-away authority and a certificate for each function, unless they exist. NAMEs are
functions; without any, those of the stack file.`,
  examples: ['hotpotato certs', 'hotpotato certs --renew echo', 'hotpotato certs --client alice'],
  async run(options, names) {
    const [{ certs }, { write }] = await Promise.all([
      import('../../certs/certs.ts'),
      import('../../terminal/output.ts'),
    ])
    await write(await certs(names, options, process.env))
  },
})
