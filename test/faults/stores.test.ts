// Replicas whose store is killed: all of ../replicas.test.ts, with a hundred due times for each real store.

import "../replicas.test";
