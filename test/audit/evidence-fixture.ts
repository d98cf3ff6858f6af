import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createEvidenceMaker } from '../../activities/evidence-bundle.ts';
import type { AuditEvent } from '../../db/audit.ts';
import { openIncident } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

const VERIFIER = join(import.meta.dirname, '../../verifier/main.ts');

/** A published log in which incidents are opened as the program opens them. */
export async function createEvidenceLog() {
  const log = await createPublishedLog();
  const maker = createEvidenceMaker({ db: log.db, auditKey: log.auditKey, publisher: log.publisher });

  return {
    ...log,
    maker,

    append: (...events: AuditEvent[]) => log.db.transaction((tx) => log.audit.append(tx, ...events)),

    /** Entries that have to do with nothing. */
    noise: (count: number) => log.append(...Array.from({ length: count }, (_, n) => n)),

    async person(): Promise<string> {
      const id = uuidV7();
      await run(
        log.db.fork(),
        `insert into app_user (id, email, email_key, full_name, role, password_hash) values ($1, $2, $2, 'Ada Example', 'auditor', 'x')`,
        [id, `${id}@example.com`],
      );
      return id;
    },

    /** Opens a restriction's incident about a user. */
    async open(userId: string, details: Record<string, unknown> = {}, key: string = uuidV7()): Promise<string> {
      const { incidentId } = await log.db.transaction((tx) =>
        openIncident(tx, log, {
          ...{ cause: 'restriction', subjectKind: 'user', subjectId: userId, userId },
          ...{ title: 'An account was frozen', details, key },
        }),
      );
      return incidentId;
    },

    make: (incidentId: string, over: Partial<Parameters<typeof maker.make>[0]> = {}) =>
      maker.make({ bundleId: uuidV7(), incidentId, ...over }),
  };
}

export type EvidenceLog = Awaited<ReturnType<typeof createEvidenceLog>>;

export interface VerifierVerdict {
  code: number;
  verdict: string;
  reason: string | null;
  firstInvalidSeq: number | null;
  findings: { reason: string; seq: number | null; by: string }[];
  notes: string[];
  error?: string;
}

/** As an auditor runs it: another program, which has the bundle and nothing else. */
export async function verifyApart(paths: readonly string[], ...flags: string[]): Promise<VerifierVerdict> {
  const child = spawn(process.execPath, [VERIFIER, ...paths, ...flags, '--json']);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...JSON.parse(output) };
}
