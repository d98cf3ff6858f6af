import { z } from 'zod';
import { AUDIT_SEVERITIES } from '../domain/audit-severity.ts';
import { INCIDENT_STATUSES, SEVERITIES } from '../domain/incident.ts';
import { LIMIT_GROUPS, LIMIT_WINDOWS, TIERS } from '../domain/limits.ts';
import { FACTOR_METHODS } from '../domain/login.ts';
import { TRANSACTION_ACTIONS } from '../domain/risk/transaction-decision.ts';
import { ROLES } from '../domain/roles.ts';
import { TRANSACTION_STATUSES, TRANSACTION_TYPES } from '../domain/transaction.ts';
import { LABEL_SOURCES, TRANSACTION_LABELS } from '../domain/transaction-label.ts';
import { nameSchemas } from './named-schemas.ts';

/** The closed lists of words that several answers share. */
export const transactionType = z.enum(TRANSACTION_TYPES);
export const transactionStatus = z.enum(TRANSACTION_STATUSES);
export const transactionAction = z.enum(TRANSACTION_ACTIONS);
export const labelValue = z.enum(TRANSACTION_LABELS);
export const labelSource = z.enum(LABEL_SOURCES);
export const factorMethod = z.enum(FACTOR_METHODS);
export const role = z.enum(ROLES);
export const tier = z.enum(TIERS);
export const limitGroup = z.enum(LIMIT_GROUPS);
export const limitWindow = z.enum(LIMIT_WINDOWS);
export const incidentSeverity = z.enum(SEVERITIES);
export const incidentStatus = z.enum(INCIDENT_STATUSES);
export const auditSeverity = z.enum(AUDIT_SEVERITIES);

nameSchemas({
  TransactionType: transactionType,
  TransactionStatus: transactionStatus,
  TransactionAction: transactionAction,
  LabelValue: labelValue,
  LabelSource: labelSource,
  FactorMethod: factorMethod,
  Role: role,
  Tier: tier,
  LimitGroup: limitGroup,
  LimitWindow: limitWindow,
  IncidentSeverity: incidentSeverity,
  IncidentStatus: incidentStatus,
  AuditSeverity: auditSeverity,
});
