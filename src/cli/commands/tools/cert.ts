import { CERT_FLAGS } from '../../cert/flags.ts'
import { defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'cert',
  synopsis: 'issue|renew|status [NAME]',
  summary: "certificates from Let's Encrypt and other authorities (ACME)",
  words: {
    least: 1,
    most: 2,
    needs: 'issue, renew or status',
    forms: [/^(issue|renew|status)$/],
    completes: [['issue', 'renew', 'status'], 'function'],
  },
  options: CERT_FLAGS,
  help: `issue gets a certificate for the files NAME.crt and NAME.key, renew gets another one when it is time,
status tells how long each is good for and what went wrong last. What tls.acme of the stack file says need not
be said here. The authority looks at the port for HTTP of each host, or for TLS with tls-alpn-01
(docs/acme.md).`,
  examples: [
    'hotpotato cert issue echo --domain example.com --agree-to-terms',
    'hotpotato cert status',
    'hotpotato cert renew --force',
  ],
  async run(options, [action, name]) {
    const { cert } = await import('../../cert/cert.ts')
    await cert(action!, name, options)
  },
})
