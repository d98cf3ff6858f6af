import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * What operators filter by in the Temporal UI. Search attributes are never encrypted, so the user is an HMAC (`userTag`)
 * and nothing else here tells who somebody is.
 */
export const searchAttributes = {
  user: defineSearchAttributeKey('TradeguardUser', 'KEYWORD'),
  status: defineSearchAttributeKey('TradeguardStatus', 'KEYWORD'),
  risk: defineSearchAttributeKey('TradeguardRisk', 'DOUBLE'),
  severity: defineSearchAttributeKey('TradeguardSeverity', 'KEYWORD'),
} as const;
