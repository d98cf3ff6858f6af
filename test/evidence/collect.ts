import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstance } from '../helpers/instance.ts';
import { observeChecklist } from './of-the-doctor.ts';
import { observeInstance } from './of-the-instance.ts';
import { examinedCommit, observeBench, observeRepository, observeSpec } from './of-the-repository.ts';
import type { Evidence } from './report.ts';

const ORIGIN = 'https://tradeguard.example';

/**
 * Collects everything anew: an installation of its own under the rules of production, and the repository's checks.
 *
 * @param specFile the output of `npm run spec`, where there is one
 */
export async function collectEvidence(specFile: string | undefined): Promise<Evidence> {
  const mail = mkdtempSync(join(tmpdir(), 'tradeguard-evidence-'));
  const instance = await startInstance({
    NODE_ENV: 'production',
    PUBLIC_ORIGIN: ORIGIN,
    TRUSTED_PROXIES: 'loopback',
    MAIL_DIR: mail,
    MAIL_FROM: 'security@tradeguard.example',
    SESSION_SECRET: randomBytes(48).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
  });
  try {
    return {
      date: new Date().toISOString().slice(0, 10),
      commit: examinedCommit(),
      node: process.versions.node,
      findings: [
        observeSpec(specFile),
        observeBench(),
        ...observeRepository(),
        ...(await observeInstance(instance.endpoints().api, ORIGIN)),
        ...(await observeChecklist(instance)),
      ],
    };
  } finally {
    await instance.stop();
    rmSync(mail, { recursive: true, force: true });
  }
}
