import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../db/sql.ts';
import { eventually } from '../helpers/eventually.ts';
import { inParallel } from '../helpers/persistent-client.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { createWorkerChild } from '../helpers/worker-child.ts';

describe('a worker that is killed in the middle of its work', () => {
  let stack: Stack;
  let trading: Trading;
  let worker: ReturnType<typeof createWorkerChild>;

  beforeAll(async () => {
    stack = await createStack({ worker: false, env: { VERDICT_TIMEOUT: '3s' } });
    trading = createTrading(stack);
    worker = createWorkerChild(stack);
  });
  afterAll(async () => {
    await worker.kill();
    await worker.deleteSchedules();
    await stack.close();
  });

  it('three times: every request gets its one verdict, and the books agree', { timeout: 180_000 }, async () => {
    const traders = await Promise.all(Array.from({ length: 6 }, () => trading.trader('1000.00')));
    const jobs = Array.from({ length: 60 }, (_, n) => ({ from: n % 6, to: (n + 1) % 6, key: randomUUID() }));
    let isOver = false;
    worker.start();
    const killing = (async () => {
      for (let n = 0; n < 3 && !isOver; n++) {
        const before = await settledCount();
        await eventually(async () => isOver || (await settledCount()) > before + 3, { timeoutMs: 60_000 });
        await worker.kill();
        await sleep(200);
        worker.start();
      }
    })();
    const answers = await inParallel(jobs, 20, async ({ from, to, key }) => {
      const [sender, recipient] = [traders[from], traders[to]];
      const body = { type: 'transfer', amount: '1.00', currency: 'USD', counterparty: recipient?.accountId };
      for (;;) {
        const answer = await sender?.ask(body, key);
        if (answer !== undefined && answer.status !== 503) return answer;
        await sleep(200);
      }
    });
    isOver = true;
    await killing;
    expect(answers.map((answer) => answer.body.status ?? answer.body)).toEqual(Array(60).fill('settled'));
    expect(await settledCount()).toBe(60);
    expect(await trading.ledgerFaults()).toEqual([]);
    for (const trader of traders) expect((await trader.portfolio()).cash[0].balance).toBe('1000.00');
  });

  async function settledCount(): Promise<number> {
    const [found] = await rows<{ n: number }>(
      stack.db.fork(),
      `select count(*)::int as n from transaction t join posting p on p.transaction_id = t.id where t.status = 'settled'`,
    );
    return found?.n ?? 0;
  }
});
