/*
 * The accounts that programs of a function look up: its own user, and root.
 */

/** As `/etc/passwd`. @param uid of the function; by default the supervisor's */
export function passwd(uid = process.getuid!()): Uint8Array {
  const own = uid === 0 ? '' : `function:x:${uid}:${uid}::/tmp:/usr/sbin/nologin\n`
  return new TextEncoder().encode(`root:x:0:0:root:/:/usr/sbin/nologin\n${own}`)
}

/** As `/etc/group`. @param gid of the function; by default the supervisor's */
export function group(gid = process.getgid!()): Uint8Array {
  return new TextEncoder().encode(`root:x:0:\n${gid === 0 ? '' : `function:x:${gid}:\n`}`)
}
