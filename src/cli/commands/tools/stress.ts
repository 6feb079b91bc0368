import { defineCommand } from '../../line/command.ts'
import { STRESS_FLAGS } from '../../stress/flags.ts'

export const command = defineCommand({
  name: 'stress',
  synopsis: 'URL',
  summary: 'make many requests at a time, and say how long they took',
  words: { least: 1, most: 1, needs: 'a URL' },
  options: STRESS_FLAGS,
  fromEnvironment: true,
  help: `Makes many requests and says how long they took, in the tradition of ab and hey; over Node's own
http, https and http2. Ends with status 1 if any request failed or was answered with a status of 400 or
more. Ctrl-C ends it early.`,
  examples: ['hotpotato stress https://echo.localhost:8443/echo -c 10 -n 1000 --ca certs/ca.crt'],
  async run(options, [url]) {
    const { stress } = await import('../../stress/stress.ts')
    await stress(url!, options)
  },
})
