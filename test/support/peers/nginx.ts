import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Program } from '../interop/program.ts'
import { answering } from './ports.ts'

/**
 * An nginx that serves on a port, without the rights of root.
 * @param folder for its files; names in `http` are relative to it
 * @param http what stands between the braces of `http`
 */
export async function startNginx(folder: string, port: number, http: string): Promise<Program> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = join(folder, `nginx-${port}.conf`)
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/nginx-${port}.pid; error_log stderr notice;
     events {}
     http {
       access_log off;
       ${temporary.map(name => `${name}_temp_path ${folder}/${name};`).join('\n')}
       ${http}
     }`,
  )
  const program = new Program('nginx', ['-p', folder, '-c', file, '-e', 'stderr'])
  await program.says(/start|using the/)
  await answering(port)
  return program
}
