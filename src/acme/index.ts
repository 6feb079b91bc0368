/** Certificates from Let's Encrypt and other authorities that speak ACME, for servers of one's own. */
export type { AccountShelf, AccountWishes, KeptAccount } from './account.ts'
export { AcmeError } from './error.ts'
export type { Proof, Responder } from './issue.ts'
export { Challenges, type Provisioned, type ProvisionOptions, provision } from './provision.ts'
