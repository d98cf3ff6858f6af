import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCEPTED_RISKS, OWNERS } from '../evidence/accepted-risks.ts';
import { collectEvidence } from '../evidence/collect.ts';
import { found, SEVERITIES } from '../evidence/finding.ts';
import { observeInstance } from '../evidence/of-the-instance.ts';
import { observeSpec } from '../evidence/of-the-repository.ts';
import { type Evidence, reportOf } from '../evidence/report.ts';
import { readDocument } from './document.ts';
import { brokenLinks, missingFiles, unknownRoutes } from './facts.ts';

const audit = readDocument('docs/SECURITY_PRODUCTION_AUDIT.md');
const findingRows = audit.rows.filter(({ section }) => section.startsWith('Findings of '));

describe('[G4] the production audit is what the generator makes', () => {
  let evidence: Evidence;
  beforeAll(async () => {
    evidence = await collectEvidence(undefined);
  }, 600_000);

  it('the committed document and a run of today have the same sections and the same claims', () => {
    const today = reportOf(evidence);
    expect(audit.headings).toEqual([...today.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title));
    const claims = (text: string) =>
      [...text.matchAll(/^\| `([\w-]+)` \| ([^|]+) \| (?:met|not met|unknown) \|/gm)].map(([, id, claim]) => [
        id,
        claim,
      ]);
    expect(claims(audit.text)).toEqual(claims(today));
    expect(claims(today).length).toBe(evidence.findings.length);
  });

  it('an installation of today meets what it observes of transport, cookies and access', () => {
    const observed = evidence.findings.filter(({ area }) => ['Access', 'Transport and browser'].includes(area));
    expect(observed.length).toBeGreaterThan(9);
    expect(observed.filter(({ status }) => status !== 'met')).toEqual([]);
  });
});

describe('[G4] each claim carries evidence', () => {
  it('what was asked, what came of it, a status, a severity and an owner', () => {
    expect(findingRows.length).toBeGreaterThan(40);
    for (const { cells } of findingRows) {
      const [id = '', claim, status = '', evidence = '', owner] = cells;
      expect(claim, id).not.toBe('');
      expect(['met', 'not met', 'unknown'], id).toContain(status);
      expect(evidence, id).toMatch(/^\S.* → \S/);
      expect(Object.values(OWNERS), id).toContain(owner);
    }
    expect(new Set(findingRows.map(({ cells }) => cells[0])).size).toBe(findingRows.length);
  });

  it('the summary counts the rows, and names the commit and the day', () => {
    for (const severity of SEVERITIES) {
      const [, ...counts] =
        audit.rows.find(({ section, cells }) => section === 'Summary' && cells[0] === severity)?.cells ?? [];
      const rows = findingRows.filter(({ section }) => section === `Findings of ${severity} severity`);
      const told = ['met', 'not met', 'unknown'].map((status) =>
        String(rows.filter(({ cells }) => cells[2] === status).length),
      );
      expect(counts, severity).toEqual(told);
    }
    expect(audit.text).toMatch(/^\| date \| \d{4}-\d\d-\d\d \|$/m);
    expect(audit.text).toMatch(/^\| commit \| [0-9a-f]{40}/m);
  });

  it('an accepted risk has a reason, an owner and a day, and stands for something that is not met or unknown', () => {
    const accepted = audit.rows.filter(({ section }) => section === 'Accepted risks');
    for (const { cells } of accepted) {
      const [id = '', reason, owner, until] = cells;
      expect(ACCEPTED_RISKS[id.replaceAll('`', '')], id).toMatchObject({ reason, owner, until });
      expect(until).toMatch(/^\d{4}-\d\d-\d\d$/);
      expect(findingRows.find((row) => row.cells[0] === id)?.cells[2], id).not.toBe('met');
    }
  });

  it('a claim without evidence cannot be made', () => {
    const one = { id: 'x', area: 'Access', severity: 'low', claim: 'c', source: 's', observed: ' ' } as const;
    expect(() => found(one, true)).toThrow('x has no evidence.');
  });

  it('it names files, links and routes that exist', () => {
    expect(brokenLinks(audit)).toEqual([]);
    expect(missingFiles(audit)).toEqual([]);
    expect(unknownRoutes(audit)).toEqual([]);
  });
});

describe('[G4] nothing passes by itself', () => {
  let server: Server;
  beforeAll(async () => {
    server = createServer((_request, response) => response.setHeader('Server', 'something/1.0').end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => void server.close());

  it('a server without any protection meets no claim', async () => {
    const { port } = server.address() as AddressInfo;
    const findings = await observeInstance(`http://127.0.0.1:${port}`, 'https://tradeguard.example');
    expect(findings.length).toBeGreaterThan(9);
    expect(findings.filter(({ status }) => status === 'met')).toEqual([]);
    expect(findings.find(({ id }) => id === 'routes-closed')?.observed).toContain('GET /api/portfolio: 200');
  });

  it('rows that nobody ran are unknown', () => {
    expect(observeSpec(undefined)).toMatchObject({ status: 'unknown' });
  });
});
