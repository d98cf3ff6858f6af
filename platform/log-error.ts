const SQLSTATE = /^[0-9A-Z]{5}$/;

/**
 * How an error is logged. PostgreSQL and the query layer quote statements and values in messages and details ("Failing
 * row contains ..."), and those are people's data: of a database error only its code and what it is about are kept.
 */
export function logError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, table, constraint } = error as { code?: unknown; table?: unknown; constraint?: unknown };
  // Node's own errors (`EPIPE`) may look like an SQLSTATE, but name a system call.
  const isDatabaseError = typeof code === 'string' && SQLSTATE.test(code) && !('syscall' in error);
  return {
    type: error.name,
    message: isDatabaseError ? `database error ${code}` : error.message,
    code,
    ...(isDatabaseError ? { table, constraint } : {}),
    ...(error.cause === undefined ? {} : { cause: logError(error.cause) }),
    stack: framesOf(error),
  };
}

/** The stack without its first lines, which repeat the message. */
function framesOf(error: Error): string {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}
