// A peer for the benchmarks: graphile-worker with its batching, as its page on performance advises, doing the same work as
// Postern.
//
//   main.mjs migrate | insert COUNT HOSTS PORT | work
//
// The database is that of DATABASE_URL. insert makes a backlog, work delivers it.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';

import { backlog, post, whenStopped } from './webhook.mjs';

const task = 'webhook';
const connectionString = process.env.DATABASE_URL;
const logger = new Logger(() => (level, message) => {
  if (level === 'error' || level === 'warning') console.error(message);
});
// As the page has them for its own figures, but with more jobs at a time: these wait for a receiver.
const preset = {
  worker: {
    connectionString,
    concurrentJobs: 64,
    maxPoolSize: 66,
    localQueue: { size: 2_000 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    logger,
  },
};

const [mode, ...numbers] = process.argv.slice(2);
switch (mode) {
  case 'migrate': {
    const utils = await makeWorkerUtils({ connectionString, logger });
    await utils.migrate();
    await utils.release();
    break;
  }
  case 'insert': {
    const utils = await makeWorkerUtils({ connectionString, logger });
    for (const group of backlog(...numbers.map(Number), 5_000)) {
      await utils.addJobs(group.map((payload) => ({ identifier: task, payload })));
    }
    await utils.release();
    break;
  }
  case 'work': {
    const runner = await run({
      preset,
      noHandleSignals: true,
      taskList: { [task]: (payload, helpers) => post(helpers.job.id, payload) },
    });
    whenStopped(() => runner.stop());
    console.log('ready');
    break;
  }
  default:
    console.error('usage: main.mjs migrate | insert COUNT HOSTS PORT | work');
    process.exit(2);
}
