// Receives a message with two descriptors while its table of descriptors has room for one: run with `ulimit
// -n 64`.
import { closeSync, openSync } from 'node:fs'
import { probe } from '../../../dist/src/transfer/native/libc.js'

const { libc } = probe()
const [one, other] = libc.socketPair('seqpacket')
libc.sendMessage(one, new Uint8Array([1]), new Uint8Array(0), [0, 1])
const hoard = []
const fill = () => {
  try {
    for (;;) hoard.push(openSync('/dev/null', 'r'))
  } catch {
    return hoard.length
  }
}
const room = fill()
closeSync(hoard.pop())
const { descriptors, refused } = libc.receiveMessage(other)
// What did arrive has been closed again, so there is as much room as before.
const left = fill() - room
// Writing needs a descriptor as well.
for (const fd of hoard) closeSync(fd)
process.stdout.write(JSON.stringify({ descriptors, refused, left }))
