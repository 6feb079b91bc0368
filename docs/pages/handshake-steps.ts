/**
 * In a state, on a message or an answer from outside (or any of several, with commas): the next state. A test
 * walks all of them, and finds no other.
 */
export type Step = readonly [from: string, by: string, to: string]

/** What a connection that is there may still take, and goes on. */
const LATER = 'certificate, compressed_certificate, certificate_verify, finished'

export const SERVER_STEPS: readonly Step[] = [
  ['START', 'client_hello', 'WAIT_SECOND_CLIENT_HELLO'],
  ['START', 'client_hello', 'WAIT_COOKIE'],
  ['START', 'client_hello', 'WAIT_REPLAY_CHECK'],
  ['START', 'client_hello', 'WAIT_SIGNATURE'],
  ['START', 'client_hello', 'WAIT_FINISHED'],
  ['WAIT_SECOND_CLIENT_HELLO', 'client_hello', 'WAIT_SIGNATURE'],
  ['WAIT_SECOND_CLIENT_HELLO', 'client_hello', 'WAIT_FINISHED'],
  ['WAIT_COOKIE', 'client_hello', 'WAIT_SIGNATURE'],
  ['WAIT_COOKIE', 'client_hello', 'WAIT_FINISHED'],
  ['WAIT_REPLAY_CHECK', '(answer)', 'WAIT_EOED'],
  ['WAIT_REPLAY_CHECK', '(answer)', 'WAIT_FINISHED'],
  ['WAIT_EOED', 'end_of_early_data', 'WAIT_FINISHED'],
  ['WAIT_SIGNATURE', '(answer)', 'WAIT_CERT'],
  ['WAIT_SIGNATURE', '(answer)', 'WAIT_FINISHED'],
  ['WAIT_CERT', 'certificate, compressed_certificate', 'WAIT_VERDICT'],
  ['WAIT_CERT', 'certificate', 'WAIT_FINISHED'],
  ['WAIT_VERDICT', '(answer)', 'WAIT_CV'],
  ['WAIT_CV', 'certificate_verify', 'WAIT_FINISHED'],
  ['WAIT_FINISHED', 'finished', 'CONNECTED'],
  ['CONNECTED', `key_update, extended_key_update, ${LATER}, (answer)`, 'CONNECTED'],
]

export const CLIENT_STEPS: readonly Step[] = [
  ['WAIT_SH', 'hello_retry_request', 'WAIT_SH'],
  ['WAIT_SH', 'server_hello', 'WAIT_EE'],
  ['WAIT_EE', 'encrypted_extensions', 'WAIT_CERT_CR'],
  ['WAIT_EE', 'encrypted_extensions', 'WAIT_FINISHED'],
  ['WAIT_CERT_CR', 'certificate_request', 'WAIT_CERT'],
  ['WAIT_CERT_CR', 'certificate, compressed_certificate', 'WAIT_VERDICT'],
  ['WAIT_CERT', 'certificate, compressed_certificate', 'WAIT_VERDICT'],
  ['WAIT_VERDICT', '(answer)', 'WAIT_CV'],
  ['WAIT_CV', 'certificate_verify', 'WAIT_FINISHED'],
  ['WAIT_FINISHED', 'finished', 'WAIT_SIGNATURE'],
  ['WAIT_FINISHED', 'finished', 'CONNECTED'],
  ['WAIT_SIGNATURE', '(answer)', 'CONNECTED'],
  ['CONNECTED', 'new_session_ticket, key_update, extended_key_update, certificate_request', 'CONNECTED'],
  ['CONNECTED', '(answer)', 'CONNECTED'],
]
