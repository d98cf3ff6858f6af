import pg, { type Connection, type Pool, type PoolClient, type Query } from 'pg';
import { type NamedStatement, namedStatement, preparedStatement } from './prepared-statements.ts';

type Answer = Promise<unknown>;
type Send = (...parameters: unknown[]) => Answer;
type Callback = (error: Error | undefined, result: unknown) => void;

/** As pg turns parameters into what it sends; not in its types. */
const { utils } = pg as unknown as { utils: { prepareValue(value: unknown): unknown } };

const deferred = new Map<string, (...values: unknown[]) => NamedStatement>();

/**
 * Marks a parameterised statement whose answer nobody uses. Inside a transaction it is kept and sent together with the
 * transaction's next statement, its commit at the latest, which spares a round trip of its own: that costs several times
 * what PostgreSQL spends on a small insert. The order of statements stays, so whoever reads afterwards sees what it wrote.
 * When it fails, the statement that it travelled with fails with its error; PostgreSQL refuses to commit then.
 *
 * @returns the text itself
 */
export function sentWithTheNext(text: string): string {
  deferred.set(text, namedStatement(text));
  return text;
}

/** Keeps what {@link sentWithTheNext} marked back, on every connection of a pool whose clients are made with `pipeline`. */
export function deferStatements(pool: Pool): void {
  let Train: TrainConstructor | undefined;
  pool.on('connect', (client: PoolClient) => {
    const send = client.query.bind(client) as Send;
    const connection = client.connection as unknown as WireConnection;
    Train ??= trainOf((client.constructor as unknown as { Query: QueryConstructor }).Query);
    const Sent = Train;
    let kept: NamedStatement[] = [];
    client.query = ((text: unknown, values: unknown, ...rest: unknown[]) => {
      const marked = typeof text === 'string' ? deferred.get(text) : undefined;
      if (marked !== undefined && client.getTransactionStatus() === 'T') {
        // What cannot be sent fails here and now.
        kept.push(marked(...(values as unknown[]).map(utils.prepareValue)));
        return Promise.resolve(NOTHING);
      }
      const before = kept;
      if (before.length === 0) return send(text, values, ...rest);
      kept = [];
      // What would be undone at once is not worth sending.
      if (text === 'rollback') return send(text, values, ...rest);
      const last = text === 'commit' ? text : preparedStatement(text, values);
      // The client keeps account of what a connection has parsed by the query that it waits for.
      const areKnown = before.every(({ name }) => connection.parsedStatements[name] !== undefined);
      if (last !== undefined && areKnown) return answerOf((callback) => send(new Sent(before, last, callback)));
      const { stream } = connection;
      stream.cork();
      try {
        return lastOf([...before.map((one) => send(one)), send(text, values, ...rest)]);
      } finally {
        stream.uncork();
      }
    }) as typeof client.query;
  });
}

const NOTHING = { command: 'INSERT', rowCount: 0, rows: [] };

/** What pg has on a connection and on a query, of which its types say nothing. */
interface WireConnection {
  readonly stream: Connection['stream'];
  readonly parsedStatements: Readonly<Record<string, string>>;
  bind(bound: { statement: string; values: unknown[] }): void;
  execute(): void;
  sync(): void;
  /** What all messages go through. */
  _send(message: Buffer): unknown;
}
interface WireQuery extends Omit<Query, 'submit'> {
  submit(connection: WireConnection): Error | null;
  handleCommandComplete(message: unknown, connection: WireConnection): void;
  handleError(error: Error, connection: WireConnection): void;
}
type Last = NamedStatement | string;
type QueryConstructor = new (statement: Last, callback: Callback) => WireQuery;
type TrainConstructor = new (ahead: NamedStatement[], last: Last, callback: Callback) => WireQuery;

/**
 * A query with others ahead of it, which the connection has parsed before, and nothing between them that the server would
 * answer at once (PostgreSQL protocol 3.0, section 55.2.3): it sends one packet, with the answer to the last, or with
 * the error of the first that fails, and skips what is behind that. An answer to each would be one more packet and one
 * more waking of this process.
 */
function trainOf(Base: QueryConstructor): TrainConstructor {
  return class extends Base {
    readonly #ahead: NamedStatement[];
    readonly #endsWithSync: boolean;
    #unanswered: number;

    constructor(ahead: NamedStatement[], last: Last, callback: Callback) {
      super(last, callback);
      this.#ahead = ahead;
      this.#endsWithSync = typeof last !== 'string';
      this.#unanswered = ahead.length;
    }

    override submit(connection: WireConnection): Error | null {
      const messages: Buffer[] = [];
      const collecting: WireConnection = Object.create(connection, {
        _send: { value: (message: Buffer) => messages.push(message) },
      });
      for (const { name, values } of this.#ahead) {
        collecting.bind({ statement: name, values });
        collecting.execute();
      }
      const error = super.submit(collecting);
      // In one piece: a stream takes longer over each of many than it takes to put them together.
      if (error === null) connection._send(Buffer.concat(messages));
      return error;
    }

    override handleCommandComplete(message: unknown, connection: WireConnection): void {
      if (this.#unanswered > 0) this.#unanswered -= 1;
      else super.handleCommandComplete(message, connection);
    }

    override handleError(error: Error, connection: WireConnection): void {
      // A text alone is skipped as well, and what ends the skipping is a Sync.
      if (this.#unanswered > 0 && !this.#endsWithSync) connection.sync();
      super.handleError(error, connection);
    }
  };
}

function answerOf(send: (callback: Callback) => unknown): Answer {
  return new Promise((resolve, reject) => {
    send((error, result) => (error ? reject(error) : resolve(result)));
  });
}

/** The last answer once all are there; the first error when one fails, since those behind it only say that there was one. */
async function lastOf(answers: Answer[]): Answer {
  const settled = await Promise.allSettled(answers);
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return answers.at(-1);
}
