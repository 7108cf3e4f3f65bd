/** A build by the BuildKit that is in Docker's daemon, without the client's plugin for it. */
import { request } from 'node:http'

const SOCKET = '/run/docker.sock'

/** What `version` of the API's builds is BuildKit. */
const BUILDKIT = '2'

/** Builds the tar of a context; resolves to the stream of messages. */
export function buildByBuildKit(
  context: Buffer,
  options: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<string> {
  const query = new URLSearchParams({ version: BUILDKIT, nocache: '1', ...options })
  return new Promise((settle, fail) => {
    const call = request(
      {
        ...{ socketPath: SOCKET, method: 'POST', path: `/build?${query}` },
        headers: { 'Content-Type': 'application/x-tar' },
        ...(signal !== undefined && { signal }),
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('error', fail)
        answer.on('end', () => settle(text))
      },
    )
    call.on('error', fail)
    call.end(context)
  })
}
