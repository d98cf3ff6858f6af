/**
 * Who somebody is to the platform. `importer` feeds recorded transactions through the live path and exists outside
 * production alone: it is no staff and reads nothing.
 */
export const ROLES = ['customer', 'reviewer', 'admin', 'auditor', 'importer'] as const;
export type Role = (typeof ROLES)[number];

/** Roles an admin may give to a person. */
export const ASSIGNABLE_ROLES = ['customer', 'reviewer', 'admin', 'auditor'] as const satisfies readonly Role[];

export function isRole(value: string): value is Role {
  return (ROLES as readonly string[]).includes(value);
}

/** Staff work for the platform and always need a second factor. */
export function isStaff(role: Role): boolean {
  return role === 'reviewer' || role === 'admin' || role === 'auditor';
}

/** May decide on held transactions (own ones apart: see `review.ts`). */
export function canReview(role: Role): boolean {
  return role === 'reviewer' || role === 'admin';
}

/** May see dashboards and incidents. */
export function canReadStaffViews(role: Role): boolean {
  return isStaff(role);
}

/** May move incidents through their states. */
export function canHandleIncidents(role: Role): boolean {
  return role === 'reviewer' || role === 'admin';
}

/** May read the audit log and verify its chain. */
export function canAudit(role: Role): boolean {
  return role === 'auditor' || role === 'admin';
}

/** May manage accounts: users, unlock, restrict, restore, keys, backups. */
export function canAdminister(role: Role): boolean {
  return role === 'admin';
}
