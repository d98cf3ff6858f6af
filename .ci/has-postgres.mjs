// Exits 0 when the tests will find a PostgreSQL to run.
import { findPostgresBinaries } from '../platform/postgres-binaries.ts';

const [first] = findPostgresBinaries();
console.log(first ? `PostgreSQL ${first.version} (${first.source})` : 'No PostgreSQL here.');
process.exitCode = first ? 0 : 1;
