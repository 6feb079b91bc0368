import { NativeChannel } from '../../src/transfer/channels/native.ts'
import { Descriptor } from '../../src/transfer/stream.ts'

/**
 * The other end of the raw hand-off: takes a descriptor with its message, closes it, and sends one byte back.
 */
function main(): void {
  const channel = NativeChannel.open(1)
  channel.addPeer(0, [Descriptor.fromFd(4)])
  const answer = new Uint8Array(1)
  channel.onMessage = (_from, _payload, descriptors) => {
    for (const descriptor of descriptors) descriptor.close()
    channel.send(0, answer)
  }
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
}

main()
