export { alerts } from './alerts.ts';
export { auditVerification } from './audit.ts';
export { backup, restoreDrill } from './backup.ts';
export { incident } from './incident.ts';
export { lockout } from './lockout.ts';
export { login } from './login.ts';
export { nonceMaintenance } from './nonces.ts';
export { reconcile } from './reconcile.ts';
export { transaction } from './transaction.ts';
