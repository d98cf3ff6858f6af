import { createHmac, type KeyObject } from 'node:crypto';
import { type Seal, sealMessage } from '../../security/audit-seal-mac.ts';

/** The MAC of an entry's text, beside the one-shot code of the program. */
export const entryHmac = (auditKey: KeyObject, entry: string): Buffer =>
  createHmac('sha256', auditKey).update(entry).digest();

/** The MAC of a seal. */
export const sealHmac = (auditKey: KeyObject, seal: Seal): Buffer =>
  createHmac('sha256', auditKey).update(sealMessage(seal)).digest();
