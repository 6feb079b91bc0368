/** A handler as in OpenFaaS's node templates. */
module.exports = async (event, context) => {
  const name = String(event.body || 'world').trim()
  return context.status(200).headers({ 'content-type': 'text/plain' }).succeed(`Hello, ${name}\n`)
}
