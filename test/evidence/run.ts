import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../spec/rows.ts';
import { collectEvidence } from './collect.ts';
import { reportOf } from './report.ts';

/** `npm run evidence [-- --spec FILE]`: collects the evidence and writes docs/SECURITY_PRODUCTION_AUDIT.md. */
const { values } = parseArgs({ options: { spec: { type: 'string' } } });
const file = 'docs/SECURITY_PRODUCTION_AUDIT.md';
const evidence = await collectEvidence(values.spec);
writeFileSync(join(ROOT, file), reportOf(evidence));
const open = evidence.findings.filter(({ status }) => status !== 'met');
console.log(`${file}: ${evidence.findings.length} findings, ${open.length} of them not met or unknown.`);
