// A peer for the benchmarks: pg-boss, set up as its documentation advises, doing the same work as Postern.
//
//   main.mjs migrate | insert COUNT HOSTS PORT | work | serve PORT
//
// The database is that of DATABASE_URL. insert makes a backlog, work delivers it, serve inserts a job for each POST. With
// PEER_NOTIFY the queue wakes its workers by LISTEN and NOTIFY, which cuts the latency; but a transaction with a NOTIFY
// excludes others while it commits, so that creates are slower by far.
import Fastify from 'fastify';
import { PgBoss } from 'pg-boss';

import { backlog, post, whenStopped } from './webhook.mjs';

const notify = Boolean(process.env.PEER_NOTIFY);
const queue = notify ? 'notified' : 'bench';
const connections = 32;
// Workers that fetch batches, and fetch on while batches come back full.
const work = {
  batchSize: 500,
  localConcurrency: 4,
  burstWhenBatchFull: true,
  pollingIntervalSeconds: 0.5,
};

const [mode, ...numbers] = process.argv.slice(2);
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: connections, useListenNotify: notify });
boss.on('error', (error) => console.error(error));

switch (mode) {
  case 'migrate':
    await boss.start();
    await boss.createQueue('bench');
    await boss.createQueue('notified', { notify: true });
    await boss.stop();
    break;
  case 'insert':
    await boss.start();
    for (const group of backlog(...numbers.map(Number), 5_000)) {
      await boss.insert(queue, group.map((data) => ({ data })));
    }
    await boss.stop();
    break;
  case 'work':
    await boss.start();
    await boss.work(queue, work, (jobs) => Promise.all(jobs.map((job) => post(job.id, job.data))));
    whenStopped(() => boss.stop({ graceful: false }));
    console.log('ready');
    break;
  case 'serve': {
    await boss.start();
    const server = Fastify();
    server.post('/jobs', async (request, reply) => {
      const id = await boss.send(queue, request.body);
      reply.code(201).send({ id, queue, status: 'pending' });
    });
    await server.listen({ host: '127.0.0.1', port: Number(numbers[0]) });
    whenStopped(async () => { await server.close(); await boss.stop({ graceful: false }); });
    console.log('ready');
    break;
  }
  default:
    console.error('usage: main.mjs migrate | insert COUNT HOSTS PORT | work | serve PORT');
    process.exit(2);
}
