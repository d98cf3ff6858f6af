import { closeSync, openSync, writeSync } from 'node:fs';
import { createDraw } from '../test/faults/draw.ts';

const START = Date.UTC(2024, 0, 1);
const COUNTERPARTIES = 1_000;
/** Rows of a day, whatever the file's length: a longer file is a longer time. */
const ROWS_PER_DAY = 1_000;
const DAY_MS = 86_400_000;
const CAMPAIGN_DAYS = 28;
const FLUSH_AT = 1 << 16;

/**
 * Writes made-up recorded transactions in the columns of docs/replay.md, the same ones every time: people with habits, now
 * and then a payment of many times the usual, and a counterparty a month that is in the hands of fraudsters.
 */
export function writeRecordedFile(path: string, rows: number, accounts = 500): void {
  const draw = createDraw(20_240_101);
  const usual = Array.from({ length: accounts }, () => draw.between(1_000, 10_000));
  const file = openSync(path, 'w');
  let text = 'tx_id,ts,account,counterparty,amount,label,scenario\n';
  for (let n = 0; n < rows; n += 1) {
    const at = START + Math.floor((n * DAY_MS) / ROWS_PER_DAY / 1_000) * 1_000;
    const account = draw.between(0, accounts - 1);
    // Everybody has some thirty payees that are paid again and again.
    const counterparty = (account * 7 + Math.floor((draw.between(0, 99) / 100) ** 2 * 60)) % COUNTERPARTIES;
    const taken = Math.floor((at - START) / DAY_MS / CAMPAIGN_DAYS) * 37;
    const isLarge = draw.between(1, 1_000) === 1;
    const isTaken = counterparty === taken % COUNTERPARTIES;
    const cents = Math.round(((usual[account] ?? 0) * draw.between(50, 150)) / 100) * (isLarge ? 8 : 1);
    const scenario = isLarge ? 1 : isTaken ? 2 : 0;
    const ts = new Date(at).toISOString().replace('.000Z', 'Z');
    text += `${n},${ts},a${account},c${counterparty},${(cents / 100).toFixed(2)},${scenario > 0 ? 1 : 0},${scenario}\n`;
    if (text.length >= FLUSH_AT) {
      writeSync(file, text);
      text = '';
    }
  }
  writeSync(file, text);
  closeSync(file);
}
