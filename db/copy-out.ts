import type { ClientBase, Connection, Submittable } from 'pg';

/**
 * The messages of a `COPY ... TO STDOUT`, by what arrived at once. Each is one row: PostgreSQL says so of those that it sends
 * (PostgreSQL manual, "Message Formats", CopyData). They are views of the connection's buffer, good until the next ones are asked
 * for; until then nothing more is read from the connection.
 *
 * @throws errors of the statement and of the connection, which must not be used by others meanwhile nor be a pipeline; who leaves
 *   before the last message has to close it
 */
export async function* copyOut(client: ClientBase, text: string): AsyncGenerator<readonly Buffer[]> {
  const query = client.query(new CopyOut(text));
  for (;;) {
    const messages = await query.next();
    if (messages === undefined) return;
    yield messages;
  }
}

/** A query as `pg` runs it. */
class CopyOut implements Submittable {
  readonly #text: string;
  #connection: Connection | undefined;
  #messages: Buffer[] = [];
  #isOver = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** @returns undefined behind the last one */
  async next(): Promise<readonly Buffer[] | undefined> {
    this.#messages = [];
    this.#connection?.stream.resume();
    while (this.#messages.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error) throw this.#error;
    return this.#messages.length > 0 ? this.#messages : undefined;
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    connection.query(this.#text);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (this.#messages.push(chunk) > 1) return;
    // What is in the buffer besides is told before whoever waits gets to run.
    this.#connection?.stream.pause();
    this.#wake?.();
  }

  handleError(error: Error): void {
    this.#error = error;
    this.#end();
  }

  handleReadyForQuery(): void {
    this.#end();
  }

  handleCommandComplete(): void {}

  #end(): void {
    this.#isOver = true;
    this.#connection?.stream.resume();
    this.#wake?.();
  }
}
