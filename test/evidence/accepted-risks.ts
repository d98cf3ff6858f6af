/** A risk that somebody decided to live with for a while. */
export interface AcceptedRisk {
  reason: string;
  owner: string;
  /** The day on which it is decided anew. */
  until: string;
}

/** Who answers for what an area claims. */
export const OWNERS: Readonly<Record<string, string>> = {
  Requirements: 'lead of development',
  'Program and packages': 'lead of development',
  Access: 'head of security',
  'Transport and browser': 'head of security',
  Installation: 'operations',
};

const OWN_INSTALLATION =
  'the examined installation is one of its own on one machine, without proxy, mail server and public name; in production `tradeguard doctor --production` tells';
const UNTIL = '2027-02-25';

/** By the finding's id. What stands here and is met needs no acceptance, and is not shown. */
export const ACCEPTED_RISKS: Readonly<Record<string, AcceptedRisk>> = {
  'doctor-way-in': { reason: OWN_INSTALLATION, owner: 'operations', until: UNTIL },
  'doctor-temporal': { reason: OWN_INSTALLATION, owner: 'operations', until: UNTIL },
  'doctor-mail': { reason: OWN_INSTALLATION, owner: 'operations', until: UNTIL },
  'doctor-api': { reason: OWN_INSTALLATION, owner: 'operations', until: UNTIL },
  'doctor-database-tls': { reason: OWN_INSTALLATION, owner: 'operations', until: UNTIL },
  'doctor-development-packages': {
    reason: 'the evidence is made from a clone with its tests; the image has none',
    owner: 'lead of development',
    until: UNTIL,
  },
  'doctor-backup': { reason: 'the examined installation is some seconds old', owner: 'operations', until: UNTIL },
  'doctor-restore-drill': {
    reason: 'the examined installation is some seconds old',
    owner: 'operations',
    until: UNTIL,
  },
  'doctor-audit-verification': {
    reason: 'the examined installation is some seconds old',
    owner: 'operations',
    until: UNTIL,
  },
  'doctor-checkpoints': {
    reason: 'the examined installation has no bucket with object lock and no witness',
    owner: 'operations',
    until: UNTIL,
  },
  'verdict-speed': {
    reason: 'measured on two shared cores; bench/README.md says where the time goes',
    owner: 'lead of development',
    until: UNTIL,
  },
};
