import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examineCalendar } from '../../cli/doctor-calendar.ts';
import { readDocument } from './document.ts';
import { brokenLinks, missingFiles, unknownRoutes, wrongVariables } from './facts.ts';

const calendar = readDocument('docs/OPERATIONS_CALENDAR.md');
const nextReview = calendar.rows.find(({ cells }) => cells[0] === 'Next review')?.cells[1] ?? '';

describe('[G5] the calendar of operations', () => {
  it('has tasks for each day, week and month, each with a place to look at and what is normal', () => {
    for (const section of ['Daily', 'Weekly', 'Monthly']) {
      const tasks = calendar.rows.filter((row) => row.section === section);
      expect(tasks.length, section).toBeGreaterThan(4);
      for (const { cells } of tasks) {
        expect(cells, cells[0]).toHaveLength(4);
        expect(cells[2], cells[0]).toMatch(/`.+`|SQL below/);
        expect(cells[3], cells[0]).not.toBe('');
      }
      const commands = calendar.blocks.filter((block) => block.section === section && block.language === 'sh');
      expect(commands.length, section).toBeGreaterThan(1);
    }
  });

  it('has critical patches done within 48 hours, step by step', () => {
    const steps = calendar.rows.filter(({ section }) => section === 'Critical patches within 48 hours');
    const hours = steps.map(({ cells }) => Number(cells[0]));
    expect(hours.length).toBeGreaterThan(3);
    expect(hours).toEqual(hours.toSorted((a, b) => a - b));
    expect(hours.at(-1)).toBe(48);
  });

  it('names pages, routes and variables that exist', () => {
    expect(brokenLinks(calendar)).toEqual([]);
    expect(missingFiles(calendar)).toEqual([]);
    expect(unknownRoutes(calendar)).toEqual([]);
    expect(wrongVariables(calendar)).toEqual([]);
  });
});

describe('[G5] doctor reads the date of the next review', () => {
  const day = 86_400_000;
  const due = Date.parse(`${nextReview}T12:00:00Z`);

  it('from the page: in time long before, a warning two weeks before and after', () => {
    expect(nextReview).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(examineCalendar(due - 30 * day)).toMatchObject({ id: 'next-review', state: 'ok' });
    expect(examineCalendar(due - 10 * day)).toMatchObject({ state: 'warn', detail: `It is due on ${nextReview}` });
    expect(examineCalendar(due)).toMatchObject({ state: 'warn', detail: `It is due on ${nextReview}` });
    expect(examineCalendar(due + 2 * day)).toMatchObject({ state: 'warn', detail: `It was due on ${nextReview}` });
  });

  it('and fails where it names none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tradeguard-calendar-'));
    const page = join(folder, 'page.md');
    try {
      writeFileSync(page, '| Next review | soon |\n');
      expect(examineCalendar(due, page).state).toBe('fail');
      writeFileSync(page, '| Next review | 2027-02-31 |\n');
      expect(examineCalendar(due, page).state).toBe('fail');
      expect(examineCalendar(due, join(folder, 'none.md')).state).toBe('warn');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
