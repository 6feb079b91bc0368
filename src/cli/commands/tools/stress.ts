import { defineCommand } from '../../line/command.ts'
import { STRESS_FLAGS } from '../../stress/flags.ts'

export const command = defineCommand({
  name: 'stress',
  synopsis: 'URL [URL|PATH …]',
  summary: 'make many requests at a time, and say how long they took',
  words: { least: 1, most: 1000, needs: 'a URL' },
  options: STRESS_FLAGS,
  fromEnvironment: true,
  help: `Makes many requests over our own client and says how long they took. Several URLs are asked for in
turn, over connections to the host of the first one; --mix has requests of several kinds.

With --rate, requests are due at moments that no answer changes. Two times are told then: uncorrected, from
when a request was sent, and corrected, from when it was due. A server that stalls keeps requests waiting that
were never sent, and corrected times alone hold that. Requests without an answer count there with the time
that they have waited. Without --rate a request follows an answer, and a stall counts once.

Connections are opened before the clock starts, unless there is --reconnect. Where none can be opened, it says
why in a line, and ends with status 1, whatever --max-errors says. It ends with 1, too, if more requests than
--max-errors failed or were answered with a status of 400 or more. Ctrl-C ends it early and tells what there
is. See docs/stress.md.`,
  examples: [
    'hotpotato stress https://echo.localhost:8443/echo -c 10 -n 1000 --ca certs/ca.crt',
    'hotpotato stress https://echo.localhost:8443/echo /resize -d 10s --rate 500 --warmup 2s --insecure',
    'hotpotato stress https://echo.localhost:8443/echo --http2 -c 4 -m 25 -w 2 -d 10s --insecure --json',
  ],
  async run(options, urls) {
    const { stress } = await import('../../stress/stress.ts')
    await stress(urls, options)
  },
})
