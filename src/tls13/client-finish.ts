import { EMPTY } from '../wire/index.ts'
import { certificateId, checkFinished, finishedVerifyData } from './authentication.ts'
import { certificateMessage, chooseClientIdentity } from './certificate-message.ts'
import type { ClientConfig } from './config.ts'
import { firstExporter, firstGeneration } from './extended-key-update.ts'
import type { MessageOf } from './messages.ts'
import { refusal } from './question.ts'
import type { ClientHandshake, ClientState } from './state.ts'
import { extendTranscript } from './transcript.ts'
import {
  type AnswerTransition,
  type ClientTransition,
  type Context,
  derive,
  type Effect,
  encodeWith,
  type Outcome,
  reportComplete,
  suiteOf,
} from './transition.ts'

/** The client's transitions from the server's Finished to its own (RFC 8446 §4.4). */

type Waiting<S extends ClientHandshake['state']> = Extract<ClientHandshake, { state: S }>

/** The ChangeCipherSpec that is still to be sent, if any (Appendix D.4). */
export function compatibility(pending: boolean): Effect[] {
  return pending ? [{ do: 'writeChangeCipherSpec' }] : []
}

/** WAIT_FINISHED: the server is who it says; our own flight follows (§4.4.4). */
export const onServerFinished: ClientTransition = (before, { message, raw }, context) => {
  const handshake = before.handshake as Waiting<'WAIT_FINISHED'>
  const { config, provider } = context
  const suite = suiteOf(provider, before.cipherSuite)
  const { hash } = suite
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, before.read!.trafficSecret, hash.digest(handshake.transcript), verifyData)
  let transcript = extendTranscript(handshake.transcript, raw)
  const afterFinished = hash.digest(transcript)
  const client = derive(suite, 'client_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const server = derive(suite, 'server_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const exporter = derive(suite, 'exporter_master_secret', handshake.masterSecret, afterFinished)
  const updates = firstExporter(before.keyUpdate, suite, handshake.masterSecret, afterFinished)
  const { keyUpdate } = updates
  const session = { ...before, keyUpdate }
  const effects: Effect[] = [client.expose, server.expose, exporter.expose, ...updates.effects]

  const handshakeWriteSecret = handshake.clientHandshakeTrafficSecret
  if (handshakeWriteSecret !== undefined) {
    // §4.5: the end of early data is written under its key, and belongs to the transcript.
    const end = encodeWith(config, { type: 'end_of_early_data' })
    transcript = extendTranscript(transcript, end)
    effects.push({ do: 'write', message: end }, { do: 'writeWith', secret: handshakeWriteSecret })
  }
  effects.push(...compatibility(handshake.compatibilityPending))
  const secrets = {
    masterSecret: handshake.masterSecret,
    clientApplicationTrafficSecret: client.secret,
    serverApplicationTrafficSecret: server.secret,
    exporterMasterSecret: exporter.secret,
    keepsTranscript: config.postHandshakeAuth === true,
  }
  const writeSecret = handshakeWriteSecret ?? session.write!.trafficSecret
  const asked = handshake.certificateAsked
  if (asked === undefined) return finish(session, secrets, transcript, writeSecret, effects, context)
  const wishes = { signature_algorithms: asked.schemes, compress_certificate: asked.compression }
  const identity = chooseClientIdentity(config.certificates ?? [], wishes, context.now)
  if (identity === undefined) {
    // §4.4.2: a client without a fitting certificate sends an empty one, and no CertificateVerify.
    const empty = encodeWith(config, {
      type: 'certificate',
      certificateRequestContext: EMPTY,
      certificateList: [],
    })
    effects.push({ do: 'write', message: empty })
    return finish(session, secrets, extendTranscript(transcript, empty), writeSecret, effects, context)
  }
  const certificate = certificateMessage(config, identity, wishes)
  effects.push({ do: 'write', message: certificate })
  return {
    next: {
      keyUpdate,
      certificate: certificateId(hash, identity.certificate),
      handshake: {
        state: 'WAIT_SIGNATURE',
        ...secrets,
        transcript: extendTranscript(transcript, certificate),
        scheme: identity.signer.scheme,
      },
    },
    effects,
  }
}

/** WAIT_SIGNATURE: the holder of our private key has signed. */
export const onSignature: AnswerTransition<ClientState, ClientConfig> = (session, answer, context) => {
  if (answer.kind !== 'signature') throw refusal(answer)
  const { transcript, scheme, state: _state, ...secrets } = session.handshake as Waiting<'WAIT_SIGNATURE'>
  const verify = encodeWith(context.config, {
    type: 'certificate_verify',
    algorithm: scheme,
    signature: answer.signature,
  })
  const effects: Effect[] = [{ do: 'write', message: verify }]
  const { trafficSecret } = session.write!
  return finish(session, secrets, extendTranscript(transcript, verify), trafficSecret, effects, context)
}

/** Our Finished, and the application keys behind it. */
function finish(
  session: ClientState,
  secrets: Omit<Waiting<'WAIT_SIGNATURE'>, 'state' | 'transcript' | 'scheme'>,
  transcript: Uint8Array,
  writeSecret: Uint8Array,
  before: readonly Effect[],
  { config, provider }: Context<ClientConfig>,
): Outcome<ClientState> {
  const suite = suiteOf(provider, session.cipherSuite)
  const { hash } = suite
  const verifyData = finishedVerifyData(hash, writeSecret, hash.digest(transcript))
  const finished = encodeWith(config, { type: 'finished', verifyData })
  const whole = extendTranscript(transcript, finished)
  const transcriptHash = hash.digest(whole)
  const resumption = derive(suite, 'resumption_master_secret', secrets.masterSecret, transcriptHash)
  const keyUpdate = firstGeneration(session.keyUpdate, hash, secrets.masterSecret, transcriptHash)
  return {
    next: {
      keyUpdate,
      handshake: {
        state: 'CONNECTED',
        exporterMasterSecret: secrets.exporterMasterSecret,
        // Without it no ticket is taken, as extended key updates demand.
        resumptionMasterSecret: keyUpdate.kind === 'extended' ? EMPTY : resumption.secret,
        ticketsIssued: 0,
        transcript: secrets.keepsTranscript ? whole : undefined,
        authentication: undefined,
      },
    },
    effects: [
      ...before,
      { do: 'write', message: finished },
      resumption.expose,
      { do: 'readWith', secret: secrets.serverApplicationTrafficSecret },
      { do: 'writeWith', secret: secrets.clientApplicationTrafficSecret },
      reportComplete(session, suite),
    ],
  }
}
