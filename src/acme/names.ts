import { domainToASCII } from 'node:url'
import { AcmeError } from './error.ts'

/**
 * The name that a certificate can be asked for, in ASCII and in lower case.
 * @throws AcmeError it is none, or one that no challenge which is offered here can show to be ours
 */
export function orderedName(given: string): string {
  if (given.includes('*'))
    throw new AcmeError(
      `${given} is a wildcard: only DNS-01 can show that it is yours, and that is not offered here; ` +
        'name each host, or put a certificate of your own into the directory',
    )
  const name = domainToASCII(given.replace(/\.$/, '')).toLowerCase()
  const labels = name.split('.')
  const sound = labels.every(one => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(one))
  if (name === '' || name.length > 253 || !sound || /^[\d.]+$/.test(name))
    throw new AcmeError(`${given} is no host name that a certificate can be asked for`)
  return name
}
