// What the peers on Node share: the webhook, the same as Postern's, and the list of a backlog's jobs.
import { Agent, request } from 'undici';

const agent = new Agent({ connections: 256, pipelining: 1, keepAliveTimeout: 30_000 });
const headers = { 'content-type': 'application/json' };

/** POSTs the payload in Postern's envelope; throws unless the answer is a 2xx. */
export async function post(id, { url, payload }) {
  const body = JSON.stringify({ task_id: String(id), queue: 'bench', payload, attempt: 1 });
  const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent });
  await answer.body.dump();
  if (answer.statusCode < 200 || answer.statusCode > 299) {
    throw new Error(`the receiver answered ${answer.statusCode}`);
  }
}

/** The jobs of a backlog, in groups. */
export function* backlog(count, hosts, port, size) {
  for (let done = 0; done < count;) {
    const group = [];
    for (; done < count && group.length < size; ++done) {
      const host = 1 + done % hosts;
      group.push({
        url: `http://127.0.${host >> 8}.${host & 255}:${port}/`,
        payload: { order: 1001, total: '12.50' },
      });
    }
    yield group;
  }
}

/** Calls `stop` once, when the process is told to end. */
export function whenStopped(stop) {
  for (const name of ['SIGTERM', 'SIGINT']) process.once(name, async () => { await stop(); process.exit(0); });
}
