/** `npm run bench`: every micro-benchmark, one after the other. Names as arguments choose: `npm run bench -- records http`. */
const QUESTIONS = ['records', 'key-schedule', 'envelope', 'checkpoint', 'http']

const chosen = process.argv.slice(2)
const unknown = chosen.filter(name => !QUESTIONS.includes(name))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')}; there are ${QUESTIONS.join(', ')}`)
  process.exitCode = 2
} else {
  for (const name of chosen.length > 0 ? chosen : QUESTIONS) await import(`./${name}.js`)
}
